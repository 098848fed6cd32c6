// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.events;

import dev.seamlab.v1.Event;
import org.jspecify.annotations.Nullable;

/** Where one reader stands. One thread. */
public final class EventCursor {
    private final EventLog log;
    private long next;
    private long dropped;

    /**
     * @param next number of the first event to read
     */
    EventCursor(EventLog log, long next) {
        this.log = log;
        this.next = next;
    }

    /** The next event, or null where none is there yet. */
    public @Nullable Event poll() {
        while (true) {
            long oldest = log.oldest();
            if (next < oldest) {
                dropped += oldest - next;
                next = oldest;
            }
            if (next > log.last()) {
                return null;
            }
            Event event = log.inPlaceOf(next);
            if (event == null || event.getSequence() < next) {
                return null; // has its number, and is on its way
            }
            if (event.getSequence() == next) {
                next++;
                return event;
            }
            // Overwritten since we asked for the oldest one.
        }
    }

    /** Number of the last event that was read or passed over. */
    public long position() {
        return next - 1;
    }

    /** Events that were overwritten before they could be read. */
    public long dropped() {
        return dropped;
    }
}
