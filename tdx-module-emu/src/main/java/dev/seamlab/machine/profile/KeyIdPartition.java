// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.profile;

/**
 * How the BIOS divided the memory-encryption KeyIDs (IA32_MKTME_KEYID_PARTITIONING).
 *
 * @param bits physical address bits that carry the KeyID, at the top of the address
 * @param mktme KeyIDs 1..mktme belong to plain memory encryption
 * @param tdx the next {@code tdx} KeyIDs are private: usable by TDX only
 */
public record KeyIdPartition(int bits, int mktme, int tdx) {

    /** First private KeyID. */
    public int firstPrivate() {
        return mktme + 1;
    }

    /** Last private KeyID; below {@link #firstPrivate} where there is none. */
    public int lastPrivate() {
        return mktme + tdx;
    }

    /** Whether a KeyID is private. */
    public boolean isPrivate(int hkid) {
        return hkid >= firstPrivate() && hkid <= lastPrivate();
    }
}
