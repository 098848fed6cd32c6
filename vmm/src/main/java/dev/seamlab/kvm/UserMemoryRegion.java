// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Gpa;
import org.jspecify.annotations.Nullable;

/**
 * What KVM_SET_USER_MEMORY_REGION2 is given (struct kvm_userspace_memory_region2).
 *
 * @param slot number of the slot
 * @param flags {@link #GUEST_MEMFD}, {@link #LOG_DIRTY}, {@link #READONLY}
 * @param gpa where in the guest
 * @param size in bytes; 0 deletes the slot
 * @param userAddress shared memory in the VMM's process; only compared
 * @param gmem private memory, with {@link #GUEST_MEMFD}
 * @param gmemOffset where in that the slot begins, in bytes
 */
public record UserMemoryRegion(
        int slot,
        int flags,
        @Gpa long gpa,
        long size,
        long userAddress,
        @Nullable GuestMemfd gmem,
        long gmemOffset) {
    /** Log dirty pages; not with private memory. */
    public static final int LOG_DIRTY = 1;

    /** Read-only memory, which TDs cannot have. */
    public static final int READONLY = 2;

    /** Private memory comes from a guest_memfd. */
    public static final int GUEST_MEMFD = 4;

    /** A slot without private memory. */
    public static UserMemoryRegion shared(int slot, @Gpa long gpa, long size, long userAddress) {
        return new UserMemoryRegion(slot, 0, gpa, size, userAddress, null, 0);
    }

    /** Takes a slot away. */
    public static UserMemoryRegion delete(int slot) {
        return new UserMemoryRegion(slot, 0, 0, 0, 0, null, 0);
    }

    boolean wantsGmem() {
        return (flags & GUEST_MEMFD) != 0;
    }
}
