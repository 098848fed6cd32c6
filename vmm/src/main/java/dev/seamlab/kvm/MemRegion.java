// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;

/**
 * What KVM_TDX_INIT_MEM_REGION is given (struct kvm_tdx_init_mem_region). KVM moves it on page by
 * page, also where it then fails: called again with the same region, the step goes on where it
 * stopped.
 */
public final class MemRegion {
    /** The memory of the process that builds the TD. */
    @FunctionalInterface
    public interface UserMemory {
        /**
         * Copies one page.
         *
         * @param address where, page aligned
         * @return false where nothing is mapped there (EFAULT)
         */
        boolean copy(long address, byte[] into);
    }

    private final UserMemory memory;
    private long source;
    private @Gpa long gpa;
    private long pages;

    /**
     * @param source address in the process's memory; not 0
     * @param gpa where in the guest
     * @param pages how many
     */
    public MemRegion(UserMemory memory, long source, @Gpa long gpa, long pages) {
        this.memory = memory;
        this.source = source;
        this.gpa = gpa;
        this.pages = pages;
    }

    /** Address of the next page in the process. */
    public long source() {
        return source;
    }

    /** Address of the next page in the guest. */
    public @Gpa long gpa() {
        return gpa;
    }

    /** Pages left. */
    public long pages() {
        return pages;
    }

    /** Whether it may be added to a guest whose addresses below {@code sharedBit} are private. */
    boolean isSound(int sharedBit) {
        long end = gpa + (pages << Addresses.PAGE_SHIFT);
        return Addresses.isAligned(source, Addresses.PAGE_SIZE)
                && source != 0
                && Addresses.isAligned(gpa, Addresses.PAGE_SIZE)
                && pages > 0
                && pages <= Long.MAX_VALUE >>> Addresses.PAGE_SHIFT
                && gpa >= 0
                && end > gpa
                && end <= 1L << sharedBit;
    }

    boolean copyNext(byte[] into) {
        return memory.copy(source, into);
    }

    void advance() {
        source += Addresses.PAGE_SIZE;
        gpa += Addresses.PAGE_SIZE;
        pages--;
    }
}
