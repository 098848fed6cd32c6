// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.lock;

import org.jspecify.annotations.Nullable;

/**
 * Slotted locks that a CPU took together, and what its call then saw under them. Calls on the fault
 * path want the same locks again and again; as long as nobody has claimed any slotted lock since,
 * taking them again is one fenced store and one load, and what was seen still holds.
 *
 * <p>That asks one thing of what is remembered with a path: it changes under the exclusive hold of
 * one of these locks only. What changes otherwise (TD_FATAL, the state of a vCPU) has to be looked
 * at each time.
 *
 * <p>Belongs to one {@link HeldLocks}, which forgets the path when it needs the places for other
 * locks.
 */
@SuppressWarnings("ReferenceEquality") // what was seen is one certain object
public final class LockPath {
    private @Nullable Object seen;
    private int start;
    private int end;
    private long claims;

    LockPath() {}

    /** Whether this object was seen under the locks, and they still stand in their places. */
    public boolean leadsTo(Object wanted) {
        return seen == wanted;
    }

    void learn(Object found, int from, int to, long claimsBefore) {
        if (seen != found) {
            seen = found; // a reference written marks a card, so only where it changes
        }
        start = from;
        end = to;
        claims = claimsBefore;
    }

    void forget() {
        seen = null;
    }

    boolean covers(int place) {
        return seen != null && place >= start && place < end;
    }

    int start() {
        return start;
    }

    int end() {
        return end;
    }

    long claims() {
        return claims;
    }
}
