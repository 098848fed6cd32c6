// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.td;

import dev.seamlab.machine.Gpa;

/**
 * What the module remembers of EPT violations at one instruction of a vCPU, to notice a host that
 * single-steps a guest by withholding its pages (zero-step attack; facts: module ABI sections 1.5
 * and 2.4). The first faults at an instruction are counted only; the pages of further ones are
 * listed, and VP.ENTER refuses to run the vCPU while one of them would fault again.
 *
 * <p>Used by the one logical CPU that runs the vCPU.
 */
public final class EptFaultLog {
    /** Faults at one instruction that a host may cause without becoming suspect. */
    public static final int THRESHOLD = 6;

    /** Pages that are remembered; further ones are not. */
    public static final int CAPACITY = 32;

    private final @Gpa long[] addresses = new long[CAPACITY];
    private int listed;
    private int counted;

    /** The guest has got on: whatever happened before is forgotten. */
    public void reset() {
        if (counted != 0) {
            counted = 0;
            listed = 0;
        }
    }

    /** An access to a private page leaves guest mode, with the guest where the last one left. */
    public void record(@Gpa long gpa) {
        if (counted < THRESHOLD) {
            counted++;
            return;
        }
        if (listed == CAPACITY) {
            return;
        }
        for (int i = 0; i < listed; i++) {
            if (addresses[i] == gpa) {
                return;
            }
        }
        addresses[listed] = gpa;
        listed++;
    }

    /** LAST_EPF_GPA_LIST_IDX: pages remembered; 0 where nothing is suspect. */
    public int listed() {
        return listed;
    }

    /** LAST_EPF_GPA_LIST: an address as it was accessed; what is not listed may be stale. */
    public @Gpa long address(int index) {
        return addresses[index];
    }

    /** POSSIBLY_EPF_STEPPING: faults at this instruction, at most {@link #THRESHOLD}. */
    public int counted() {
        return counted;
    }
}
