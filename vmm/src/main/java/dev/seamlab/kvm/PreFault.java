// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;

/**
 * What KVM_PRE_FAULT_MEMORY is given (struct kvm_pre_fault_memory). KVM moves it on page by page
 * and leaves what is left in it.
 */
public final class PreFault {
    private final long flags;
    private @Gpa long gpa;
    private long size;

    /**
     * @param gpa page aligned, without the shared bit
     * @param size in bytes, page aligned
     * @param flags none are defined
     */
    public PreFault(@Gpa long gpa, long size, long flags) {
        this.gpa = gpa;
        this.size = size;
        this.flags = flags;
    }

    /** Where the next page is. */
    public @Gpa long gpa() {
        return gpa;
    }

    /** Bytes left. */
    public long size() {
        return size;
    }

    boolean isSound() {
        return flags == 0
                && Addresses.isAligned(gpa | size, Addresses.PAGE_SIZE)
                && gpa >= 0
                && gpa + size > gpa;
    }

    void advance() {
        gpa += Addresses.PAGE_SIZE;
        size -= Addresses.PAGE_SIZE;
    }
}
