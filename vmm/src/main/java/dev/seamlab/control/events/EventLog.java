// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.events;

import com.google.protobuf.util.Timestamps;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.v1.Event;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * The last events of this run of the server. Whoever tells of one never waits, because some tell
 * while they hold locks of the fault path; whoever reads keeps a position and nothing else, so the
 * ring is all the memory that events ever take.
 *
 * <p>An event gets its number first and its place afterwards. A reader that finds the place empty
 * comes back; a writer that was overtaken by a whole round leaves the younger event there.
 */
@Singleton
public final class EventLog {
    private static final int MOST_KEPT = 1 << 20;

    private final String run = String.format("%08x", ThreadLocalRandom.current().nextInt());
    private final AtomicReferenceArray<@Nullable Event> places;
    private final AtomicLong last = new AtomicLong();

    @Inject
    EventLog(EventSettings settings) {
        this(settings.kept());
    }

    /**
     * @param kept events that are kept
     */
    public EventLog(int kept) {
        if (kept < 1 || kept > MOST_KEPT) {
            throw new IllegalArgumentException(
                    "seamlab.events.kept: must be 1 to " + MOST_KEPT + ", is " + kept);
        }
        places = new AtomicReferenceArray<>(kept);
    }

    /**
     * Something has happened.
     *
     * @param subject resource name of what it happened to; empty for the host
     * @param text one line for people
     */
    public void append(Event.Type type, String subject, String text) {
        append(Event.newBuilder().setType(type).setSubject(subject).setText(text));
    }

    /** A trust domain has changed its state. */
    void appendState(String subject, String state, String text) {
        append(
                Event.newBuilder()
                        .setType(Event.Type.TRUST_DOMAIN_STATE)
                        .setSubject(subject)
                        .setText(text)
                        .setNewState(state));
    }

    private void append(Event.Builder event) {
        long sequence = last.incrementAndGet();
        Event done = event.setSequence(sequence).setTime(Timestamps.now()).build();
        Event younger = places.accumulateAndGet(place(sequence), done, EventLog::younger);
        assert younger != null && younger.getSequence() >= sequence;
    }

    private static @Nullable Event younger(@Nullable Event there, @Nullable Event coming) {
        return there == null || coming == null || there.getSequence() < coming.getSequence()
                ? coming
                : there;
    }

    /** A place in the log as clients carry it: everything up to an event is behind them. */
    public String token(long position) {
        return EventTokens.write(this, position);
    }

    /**
     * The number of the last event that is behind a client.
     *
     * @param field of the request that carries the token
     * @throws Rejection INVALID_ARGUMENT where it is no token; OUT_OF_RANGE where it is one of
     *     another run, or an event after it is not kept any more
     */
    public long position(String field, String token) {
        long position = EventTokens.read(this, field, token);
        if (position + 1 < oldest()) {
            throw EventTokens.expired(field);
        }
        return position;
    }

    /** Reads what happened after an event. */
    public EventCursor after(long position) {
        return new EventCursor(this, position + 1);
    }

    /** This run of the server, for tokens. */
    String run() {
        return run;
    }

    /** Number of the last event; 0 before the first. */
    public long last() {
        return last.get();
    }

    /** Number of the oldest event that is kept. */
    long oldest() {
        return Math.max(1, last() - places.length() + 1);
    }

    /** What is in the place of an event: it, an older one or none where it is still to come. */
    @Nullable Event inPlaceOf(long sequence) {
        return places.get(place(sequence));
    }

    private int place(long sequence) {
        return (int) (sequence % places.length());
    }
}
