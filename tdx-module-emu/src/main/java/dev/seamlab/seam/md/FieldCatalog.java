// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import dev.seamlab.seam.abi.FieldId;
import java.util.List;

/** The fields of one context in the module's order: look-up by identifier, and what comes next. */
public final class FieldCatalog {
    /** No field has the identifier. */
    public static final int NONE = -1;

    private final List<FieldSpec> fields;

    FieldCatalog(List<FieldSpec> fields) {
        this.fields = List.copyOf(fields);
    }

    /** Number of rows. */
    public int size() {
        return fields.size();
    }

    /** A row. */
    public FieldSpec get(int row) {
        return fields.get(row);
    }

    /** Row of the field that an identifier selects; only class and field code count. */
    public int find(long id) {
        int code = FieldId.code(id);
        int fieldClass = FieldId.fieldClass(id);
        for (int row = 0; row < fields.size(); row++) {
            FieldSpec spec = fields.get(row);
            int first = FieldId.code(spec.id());
            if (FieldId.fieldClass(spec.id()) == fieldClass
                    && code >= first
                    && code < first + spec.codes() * FieldId.stride(spec.id())) {
                // A VMCS field has a second, odd encoding for its upper half; the module has none.
                return (code - first) % FieldId.stride(spec.id()) == 0 ? row : NONE;
            }
        }
        return NONE;
    }

    /** Which element of its row an identifier selects. */
    public int element(int row, long id) {
        long first = fields.get(row).id();
        return (FieldId.code(id) - FieldId.code(first)) / FieldId.stride(first);
    }

    /** Identifier of an element of a row. */
    public long id(int row, int element) {
        long first = fields.get(row).id();
        return first + (long) element * FieldId.stride(first);
    }

    /** Identifier of the first readable element, or {@link FieldId#NULL}. */
    public long first(FieldAccess access) {
        return firstFrom(0, access);
    }

    /** Identifier of the readable element after one, or {@link FieldId#NULL}. */
    public long next(int row, int element, FieldAccess access) {
        FieldSpec spec = fields.get(row);
        return element + 1 < spec.codes() ? id(row, element + 1) : firstFrom(row + 1, access);
    }

    /** Identifier of the first readable field of a later row, or {@link FieldId#NULL}. */
    long firstBehind(int row, FieldAccess access) {
        return firstFrom(row + 1, access);
    }

    private long firstFrom(int start, FieldAccess access) {
        for (int row = start; row < fields.size(); row++) {
            if (fields.get(row).readable(access) != 0) {
                return fields.get(row).id();
            }
        }
        return FieldId.NULL;
    }
}
