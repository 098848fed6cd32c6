// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

/**
 * Why a virtualization exception was raised: TDG.VP.VEINFO.GET reports it from version 1 on (module
 * 1.5.25; facts: module ABI section 2.2).
 */
enum VeCategory {
    /** The access itself: an EPT violation that the CPU would convert as well. */
    ARCHITECTURAL(0x00),
    /** A page that waits for TDG.MEM.PAGE.ACCEPT. */
    PENDING(0x01),
    /** An address that is wider than the guest's. */
    RESERVED_GPA_BITS(0x02),
    /** An instruction that raises the exception as long as the TD is configured so. */
    CONFIGURED_PARAVIRTUAL(0x10),
    /** An instruction that a TD always has to paravirtualise. */
    PARAVIRTUAL(0x11);

    private final int code;

    VeCategory(int code) {
        this.code = code;
    }

    /** Number of the category. */
    int code() {
        return code;
    }
}
