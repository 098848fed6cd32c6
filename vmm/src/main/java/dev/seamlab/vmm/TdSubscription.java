// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import java.time.Duration;
import java.util.Optional;

/**
 * A stream of a TD's snapshots. The buffer is bounded: a reader that falls behind misses progress
 * in between, but never a change of state, and always gets the newest snapshot last.
 */
public interface TdSubscription extends AutoCloseable {
    /**
     * The next snapshot, in order of revision.
     *
     * @param atMost how long to wait
     * @return empty where nothing came in time, or the stream {@link #ended}
     */
    Optional<TdSnapshot> next(Duration atMost);

    /** Whether the TD is gone, or this was closed, and everything has been read. */
    boolean ended();

    /** Ends the stream; a waiting reader returns. */
    @Override
    void close();
}
