// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

/**
 * Why a virtualization exception was raised: TDG.VP.VEINFO.GET reports it from version 1 on (facts:
 * module ABI section 2.2). The numbers are those observed on the reference module; those for
 * reserved address bits (0x02) and for features that a TD does not support (0x80) have no case
 * here.
 */
enum VeCategory {
    /** A page that waits for TDG.MEM.PAGE.ACCEPT. */
    PENDING(0x01),
    /** An instruction that raises the exception as long as the TD is configured so. */
    CONFIGURED_PARAVIRTUAL(0x10),
    /** An instruction that a TD always has to paravirtualise. */
    PARAVIRTUAL(0x11);

    private final int number;

    VeCategory(int number) {
        this.number = number;
    }

    /** Number in RCX bits 39:32 of TDG.VP.VEINFO.GET. */
    int number() {
        return number;
    }
}
