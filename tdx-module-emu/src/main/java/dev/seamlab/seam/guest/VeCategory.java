// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

/**
 * Why a virtualization exception was raised: TDG.VP.VEINFO.GET reports it from version 1 on (facts:
 * module ABI section 2.2). The facts name the categories but not their numbers; the numbers here
 * are a guess, the place in this list.
 */
enum VeCategory {
    /** The access itself: an EPT violation that the CPU would convert as well. */
    ARCHITECTURAL,
    /** A page that waits for TDG.MEM.PAGE.ACCEPT. */
    PENDING,
    /** An instruction that a TD always has to paravirtualise. */
    PARAVIRTUAL,
    /** An instruction that raises the exception as long as the TD is configured so. */
    CONFIGURED_PARAVIRTUAL
}
