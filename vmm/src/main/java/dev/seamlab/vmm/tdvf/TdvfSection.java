// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.tdvf;

import dev.seamlab.machine.Gpa;

/**
 * One section of a TDVF image (facts: module ABI section 11.2).
 *
 * @param type what it is
 * @param attributes {@link #MR_EXTEND}, {@link #PAGE_AUG}
 * @param dataOffset offset of its bytes in the image
 * @param rawSize number of bytes in the image; the rest of its memory is zero
 * @param memoryAddress where it stands in guest memory
 * @param memorySize bytes of guest memory
 */
public record TdvfSection(
        Type type,
        int attributes,
        int dataOffset,
        int rawSize,
        @Gpa long memoryAddress,
        long memorySize) {
    /** Attribute: its contents are measured into MRTD. */
    public static final int MR_EXTEND = 1;

    /** Attribute: its pages are added after finalisation by PAGE.AUG. */
    public static final int PAGE_AUG = 2;

    /** Kinds of section that a VMM loads; the ordinal is the number in the image. */
    public enum Type {
        /** Boot firmware volume: code, measured. */
        BFV,
        /** Configuration firmware volume: variables, not measured. */
        CFV,
        /** Where the VMM writes the hand-off blocks. */
        TD_HOB,
        /** Zeroed memory that the firmware uses first. */
        TEMP_MEM
    }

    /** Whether its contents are measured. */
    public boolean isMeasured() {
        return (attributes & MR_EXTEND) != 0;
    }

    /** First guest address after it. */
    public @Gpa long memoryEnd() {
        return memoryAddress + memorySize;
    }

    /** Whether the two share guest memory. */
    public boolean overlaps(TdvfSection other) {
        return memoryAddress < other.memoryEnd() && other.memoryAddress < memoryEnd();
    }
}
