// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine;

/**
 * The EPT that the host keeps for shared guest addresses. The CPU walks it on its own, without the
 * TDX module.
 */
@FunctionalInterface
public interface SharedEpt {
    /** Answer for an address without a mapping. */
    long NOT_MAPPED = -1;

    /**
     * Translates a shared guest page.
     *
     * @param gpa page-aligned guest address, shared bit clear
     * @return the page's HPA, or {@link #NOT_MAPPED}
     */
    @Hpa
    long translate(@Gpa long gpa, GuestMode.Access access);
}
