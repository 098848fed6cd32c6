// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

/**
 * Dynamic PAMT bytes by cause: a page pair counts for the kind of page that first needed it.
 *
 * @param controlBytes TDR, TDCS, TDVPR and TDCX pages
 * @param septBytes Secure EPT pages
 * @param guestBytes private guest pages
 */
public record PamtShare(long controlBytes, long septBytes, long guestBytes) {
    /** Nothing. */
    public static final PamtShare NONE = new PamtShare(0, 0, 0);

    /** All causes together. */
    public long totalBytes() {
        return controlBytes + septBytes + guestBytes;
    }

    /** The sum of two shares. */
    public PamtShare plus(PamtShare other) {
        return new PamtShare(
                controlBytes + other.controlBytes,
                septBytes + other.septBytes,
                guestBytes + other.guestBytes);
    }
}
