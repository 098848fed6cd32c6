// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import java.util.EnumSet;
import java.util.Set;

/** What a user can ask of a trust domain, and from which states. */
public enum TdAction {
    /** READY to RUNNING. */
    START(EnumSet.of(TdState.READY)),
    /** RUNNING to PAUSED. */
    PAUSE(EnumSet.of(TdState.RUNNING)),
    /** PAUSED to RUNNING. */
    RESUME(EnumSet.of(TdState.PAUSED)),
    /** RUNNING or PAUSED to STOPPED. */
    STOP(EnumSet.of(TdState.RUNNING, TdState.PAUSED)),
    /** READY, RUNNING or PAUSED to STOPPED, with a dead KVM machine. */
    KILL(EnumSet.of(TdState.READY, TdState.RUNNING, TdState.PAUSED)),
    /** READY, STOPPED or FAILED to STOPPED, with its KeyID released. */
    TERMINATE(EnumSet.of(TdState.READY, TdState.STOPPED, TdState.FAILED)),
    /** Lets somebody drive a vCPU by hand; the state stays, unless the vCPU cannot go on. */
    RUN_VCPU(EnumSet.of(TdState.READY, TdState.PAUSED)),
    /** Tears the TD down and gives everything back. */
    DELETE(EnumSet.of(TdState.READY, TdState.STOPPED, TdState.FAILED));

    private final Set<TdState> from;

    TdAction(Set<TdState> from) {
        this.from = from;
    }

    /** The states in which this action is legal. */
    public Set<TdState> legalFrom() {
        return Set.copyOf(from);
    }

    /** The actions that are legal in a state. */
    public static Set<TdAction> legalIn(TdState state) {
        Set<TdAction> legal = EnumSet.noneOf(TdAction.class);
        for (TdAction action : values()) {
            if (action.from.contains(state)) {
                legal.add(action);
            }
        }
        return legal;
    }
}
