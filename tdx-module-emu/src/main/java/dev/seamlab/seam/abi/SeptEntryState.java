// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.abi;

import org.jspecify.annotations.Nullable;

/**
 * State of a Secure EPT entry: the number that leaves report in RDX bits 15:8, and the seven-bit
 * code inside the entry (facts: sections 8.2 and 8.3).
 */
public enum SeptEntryState {
    FREE(0, 0x0E),
    REMOVED(5, 0x0C),
    NL_MAPPED(132, 0x00),
    NL_BLOCKED(129, 0x08),
    MAPPED(4, 0x60),
    BLOCKED(1, 0x68),
    BLOCKEDW(8, 0x64),
    EXPORTED_BLOCKEDW(9, 0x66),
    EXPORTED_DIRTY(11, 0x63),
    EXPORTED_DIRTY_BLOCKEDW(12, 0x67),
    PENDING(2, 0x70),
    PENDING_BLOCKED(3, 0x78),
    PENDING_BLOCKEDW(16, 0x74),
    PENDING_EXPORTED_BLOCKEDW(17, 0x76),
    PENDING_EXPORTED_DIRTY(19, 0x73),
    PENDING_EXPORTED_DIRTY_BLOCKEDW(20, 0x77);

    private static final @Nullable SeptEntryState[] BY_CODE = new @Nullable SeptEntryState[128];

    static {
        for (SeptEntryState state : values()) {
            BY_CODE[state.code] = state;
        }
    }

    private final int publicNumber;
    private final int code;

    SeptEntryState(int publicNumber, int code) {
        this.publicNumber = publicNumber;
        this.code = code;
    }

    /** Number in RDX bits 15:8 of the leaves that report an entry. */
    public int publicNumber() {
        return publicNumber;
    }

    /** Seven-bit code spread over the entry's bits 9, 56:53 and 7:6. */
    public int code() {
        return code;
    }

    /** The state with this code. Fails on a code that no state has: the entry is broken. */
    public static SeptEntryState ofCode(int code) {
        SeptEntryState state = BY_CODE[code & 0x7F];
        if (state == null) {
            throw new AssertionError("no S-EPT state has code 0x" + Integer.toHexString(code));
        }
        return state;
    }
}
