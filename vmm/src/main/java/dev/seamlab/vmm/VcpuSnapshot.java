// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.machine.Hpa;

/**
 * A vCPU at one moment.
 *
 * @param index number in its TD, from 0
 * @param cpu logical CPU that the module associates it with, or -1
 * @param tdvprHpa address of its TDVPR page; 0 where that is reclaimed
 * @param operations guest operations that it completed
 * @param tdExits times it left the guest
 * @param poolPages pages that wait in its fault pools
 */
public record VcpuSnapshot(
        int index,
        State state,
        int cpu,
        @Hpa long tdvprHpa,
        long operations,
        long tdExits,
        long poolPages) {
    /** What a vCPU does. */
    public enum State {
        /** Outside the guest, and nobody drives it. */
        IDLE,
        /** In the guest, or an exit of it is served. */
        RUNNING,
        /** Its own program is at its end. */
        FINISHED,
        /** It runs no more. */
        DEAD
    }
}
