// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_NOT_WRITABLE;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_VALUE_NOT_VALID;

import dev.seamlab.seam.abi.Status;

/** What a masked write to a field amounts to. */
public final class FieldWrite {
    private FieldWrite() {}

    /**
     * Whether a write is allowed: some requested bit must be writable, and no requested bit that is
     * not may differ from what the caller would read.
     */
    public static long check(
            FieldSpec spec, FieldAccess access, long current, long value, long mask) {
        long writable = spec.writable(access);
        if ((writable & mask) == 0) {
            return METADATA_FIELD_NOT_WRITABLE.word();
        }
        long forbidden = mask & ~writable;
        boolean unchanged = (current & spec.readable(access) & forbidden) == (value & forbidden);
        return unchanged ? Status.SUCCESS : METADATA_FIELD_VALUE_NOT_VALID.word();
    }

    /** The value after an allowed write. */
    public static long merge(
            FieldSpec spec, FieldAccess access, long current, long value, long mask) {
        long changed = spec.writable(access) & mask;
        return (current & ~changed) | (value & changed);
    }
}
