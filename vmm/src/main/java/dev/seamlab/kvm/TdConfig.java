// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

/**
 * What KVM_TDX_INIT_VM is given.
 *
 * @param attributes TD attributes
 * @param xfam extended features
 * @param gpaWidth guest physical address bits, 48 or 52
 */
public record TdConfig(long attributes, long xfam, int gpaWidth) {
    /** GPA bit that marks an address as shared. */
    public int sharedBit() {
        return gpaWidth - 1;
    }

    /** Levels of the Secure EPT: five where the width needs them. */
    public int levels() {
        return gpaWidth == 52 ? 5 : 4;
    }
}
