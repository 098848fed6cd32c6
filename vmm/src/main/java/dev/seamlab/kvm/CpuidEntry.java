// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

/**
 * One leaf or subleaf of CPUID (struct kvm_cpuid_entry2).
 *
 * @param function leaf
 * @param index subleaf; 0 where there are none
 * @param indexed whether the subleaf matters
 * @param eax value of EAX, or its configurable bits, and so on
 */
public record CpuidEntry(
        int function, int index, boolean indexed, int eax, int ebx, int ecx, int edx) {
    /** The leaf whose EAX bits 23:16 say how wide a guest's physical addresses are. */
    static final int ADDRESS_SIZES = 0x8000_0008;

    private static final int GUEST_BITS_SHIFT = 16;
    private static final int GUEST_BITS_MASK = 0xFF << GUEST_BITS_SHIFT;

    /** The entry that asks for a guest physical address width. */
    public static CpuidEntry addressWidth(int bits) {
        return new CpuidEntry(ADDRESS_SIZES, 0, false, bits << GUEST_BITS_SHIFT, 0, 0, 0);
    }

    /** Bits 23:16 of EAX. */
    int guestPhysicalBits() {
        return (eax & GUEST_BITS_MASK) >>> GUEST_BITS_SHIFT;
    }

    /** The same entry with other bits 23:16 of EAX. */
    CpuidEntry withGuestPhysicalBits(int bits) {
        int value = (eax & ~GUEST_BITS_MASK) | (bits & 0xFF) << GUEST_BITS_SHIFT;
        return new CpuidEntry(function, index, indexed, value, ebx, ecx, edx);
    }

    /** Whether a look-up of a leaf and subleaf finds this entry. */
    boolean matches(int wantedFunction, int wantedIndex) {
        return function == wantedFunction && (!indexed || index == wantedIndex);
    }
}
