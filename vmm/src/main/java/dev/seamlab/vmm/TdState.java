// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;

/** Where a trust domain stands in its life. {@link #next} is the only table of legal moves. */
public enum TdState {
    /** Its control structures and vCPUs are being built. */
    CREATING,
    /** Control structures and vCPUs stand; initial memory is not measured yet. */
    CREATED,
    /** Measured and finalised; no vCPU runs. */
    READY,
    /** Its vCPUs execute. */
    RUNNING,
    /** Its vCPUs have left the guest and keep their state. */
    PAUSED,
    /** Its vCPUs are on their way out for good. */
    STOPPING,
    /** No vCPU will run again; memory is still held. */
    STOPPED,
    /** It is being torn down; gone afterwards, or STOPPED where somebody stopped that. */
    DELETING,
    /**
     * It cannot go on; only releasing its KeyID and deleting are left. {@link TdSnapshot#failure}
     * says why.
     */
    FAILED;

    private static final Map<TdState, Set<TdState>> NEXT = new EnumMap<>(TdState.class);

    static {
        NEXT.put(CREATING, EnumSet.of(CREATED, DELETING, FAILED));
        NEXT.put(CREATED, EnumSet.of(READY, DELETING, FAILED));
        NEXT.put(READY, EnumSet.of(RUNNING, STOPPING, DELETING, FAILED));
        NEXT.put(RUNNING, EnumSet.of(PAUSED, STOPPING, FAILED));
        NEXT.put(PAUSED, EnumSet.of(RUNNING, STOPPING, FAILED));
        NEXT.put(STOPPING, EnumSet.of(STOPPED, FAILED));
        NEXT.put(STOPPED, EnumSet.of(STOPPING, DELETING));
        NEXT.put(DELETING, EnumSet.of(STOPPED, FAILED));
        NEXT.put(FAILED, EnumSet.of(STOPPING, DELETING));
    }

    /** The states that may follow this one. */
    public Set<TdState> next() {
        return Set.copyOf(NEXT.getOrDefault(this, Set.of()));
    }

    /** Whether {@code state} may follow this one. */
    public boolean mayBecome(TdState state) {
        return NEXT.getOrDefault(this, Set.of()).contains(state);
    }
}
