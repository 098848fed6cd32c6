// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_ID_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_NOT_READABLE;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_NOT_WRITABLE;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_VALUE_NOT_VALID;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIRST_FIELD_ID_IN_CONTEXT;

import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Status;

/**
 * What the leaves that read or write one metadata element have in common: MNG.RD/WR, VP.RD/WR,
 * SYS.RD of the host, VM.RD/WR, VP.RD/WR, SYS.RD of the guest (facts: module ABI section 6.1). RDX
 * returns the next identifier, R8 the value; on an error they keep what the leaf wrote before.
 */
public final class FieldLeaves {
    private FieldLeaves() {}

    /**
     * Reads an element.
     *
     * @param walks whether the leaf knows the null identifier and reports the next one
     */
    public static long read(FieldView view, long asked, boolean walks, Registers out) {
        FieldCatalog catalog = view.catalog();
        if (walks && FieldId.isNull(asked)) {
            out.rdx(catalog.first(view.access()));
            return METADATA_FIRST_FIELD_ID_IN_CONTEXT.word();
        }
        if (!FieldId.isSingleElement(asked)) {
            return METADATA_FIELD_ID_INCORRECT.word();
        }
        long id = view.canonical(asked);
        int row = catalog.find(id);
        if (row == FieldCatalog.NONE) {
            return view.unlisted(id, false);
        }
        long readable = catalog.get(row).readable(view.access());
        if (readable == 0) {
            return METADATA_FIELD_NOT_READABLE.word();
        }
        int element = catalog.element(row, id);
        out.r8(view.value(row, element) & readable);
        if (walks) {
            out.rdx(next(view, asked, row, element));
        }
        return Status.SUCCESS;
    }

    /**
     * What comes after an element. Inside a row it is the identifier asked for with the next code,
     * whatever else the caller had in it; a new row starts with its own.
     */
    private static long next(FieldView view, long asked, int row, int element) {
        FieldSpec spec = view.catalog().get(row);
        long inContext = FieldId.inContext(asked, FieldId.context(spec.id()));
        if (element + 1 < spec.codes()) {
            return inContext + FieldId.stride(spec.id());
        }
        long next = view.catalog().next(row, element, view.access());
        boolean sameField =
                next != FieldId.NULL
                        && FieldId.fieldClass(next) == FieldId.fieldClass(asked)
                        && view.isOneFieldOfManyRows(asked);
        return sameField ? FieldId.withCode(inContext, FieldId.code(next)) : next;
    }

    /**
     * Writes an element: some requested bit must be writable, and no requested bit that is not may
     * differ from what the caller would read. R8 returns the value before.
     */
    public static long write(FieldView view, long asked, long data, long mask, Registers out) {
        if (!FieldId.isSingleElement(asked)) {
            return METADATA_FIELD_ID_INCORRECT.word();
        }
        FieldCatalog catalog = view.catalog();
        long id = view.canonical(asked);
        int row = catalog.find(id);
        if (row == FieldCatalog.NONE) {
            return view.unlisted(id, true);
        }
        FieldSpec spec = catalog.get(row);
        long readable = spec.readable(view.access());
        long writable = spec.writable(view.access());
        long written = writable & mask;
        if (written == 0) {
            return METADATA_FIELD_NOT_WRITABLE.word();
        }
        int element = catalog.element(row, id);
        long before = view.value(row, element);
        long base = view.base(row, element, written == spec.sizeMask());
        long forbidden = mask & ~writable;
        if ((base & readable & forbidden) != (data & forbidden)) {
            return METADATA_FIELD_VALUE_NOT_VALID.word();
        }
        long status = view.store(row, element, (base & ~written) | (data & written), written);
        if (status == Status.SUCCESS) {
            out.r8(before & readable);
        }
        return status;
    }
}
