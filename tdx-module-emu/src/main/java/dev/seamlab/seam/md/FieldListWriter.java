// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_ID_INCORRECT;
import static dev.seamlab.seam.abi.StatusCode.METADATA_LIST_OVERFLOW;

import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Status;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/**
 * Writes fields as a metadata list: header, then sequences of fields with consecutive codes and the
 * same shape (facts: module ABI section 1.4).
 *
 * <pre>
 *   list:      0 u16 bytes used   2 u16 sequences   4 u32 zero   8 sequences
 *   sequence:  u64 id of the first field, with last element and last field; then u64 elements
 * </pre>
 */
public final class FieldListWriter {
    private static final int HEADER = 8;
    private static final int LAST_ELEMENT_SHIFT = 34;
    private static final int LAST_FIELD_SHIFT = 38;
    private static final VarHandle LONGS =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle SHORTS =
            MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);

    /** Where values come from. */
    @FunctionalInterface
    public interface Values {
        long value(int row, int element);
    }

    private final FieldCatalog catalog;
    private final Values values;
    private final FieldAccess access;
    private final byte[] buffer;
    private int used = HEADER;
    private long next = FieldId.NULL;

    public FieldListWriter(FieldCatalog catalog, Values values, FieldAccess access, byte[] buffer) {
        this.catalog = catalog;
        this.values = values;
        this.access = access;
        this.buffer = buffer;
    }

    /** Bytes of the list. */
    public int bytesWritten() {
        return used;
    }

    /** Identifier of the field that did not fit, or {@link FieldId#NULL}. */
    public long next() {
        return next;
    }

    /**
     * Writes as much as fits. Fields that the caller may not read are passed over, the first one as
     * well.
     *
     * @param asked first element of a field, of its size, or the null identifier for the first
     *     field
     * @return SUCCESS, METADATA_LIST_OVERFLOW where fields are left, or METADATA_FIELD_ID_INCORRECT
     *     with nothing written
     */
    public long write(long asked) {
        long start = FieldId.isNull(asked) ? catalog.first(access) : asked;
        int row = catalog.find(start);
        boolean startsField =
                row != FieldCatalog.NONE
                        && catalog.element(row, start) % catalog.get(row).elements() == 0
                        && FieldId.elementBytes(start)
                                == FieldId.elementBytes(catalog.get(row).id());
        if (!startsField) {
            return METADATA_FIELD_ID_INCORRECT.word();
        }
        long first =
                catalog.get(row).readable(access) != 0
                        ? catalog.id(row, catalog.element(row, start))
                        : catalog.firstBehind(row, access);
        next = writeFrom(first);
        return next == FieldId.NULL ? Status.SUCCESS : METADATA_LIST_OVERFLOW.word();
    }

    private long writeFrom(long start) {
        java.util.Arrays.fill(buffer, (byte) 0);
        int sequences = 0;
        long field = start;
        int atRow = catalog.find(start);
        int at = field == FieldId.NULL ? 0 : catalog.element(atRow, start);
        int sequenceAt = 0;
        int fieldsInSequence = 0;
        long expected = 0;
        while (field != FieldId.NULL) {
            FieldSpec spec = catalog.get(atRow);
            long size = (long) Long.BYTES * spec.elements();
            boolean continues = fieldsInSequence > 0 && sameShape(field, expected);
            long needed = continues ? size : size + Long.BYTES;
            if (used + needed > buffer.length) {
                break;
            }
            if (!continues) {
                sequenceAt = used;
                used += Long.BYTES;
                sequences++;
                fieldsInSequence = 0;
            }
            fieldsInSequence++;
            long header =
                    (field & 0xBF7F_0003_00FF_FFFFL)
                            | (long) (spec.elements() - 1) << LAST_ELEMENT_SHIFT;
            long first = continues ? (long) LONGS.get(buffer, sequenceAt) : header;
            long lastField = (long) (fieldsInSequence - 1) << LAST_FIELD_SHIFT;
            LONGS.set(buffer, sequenceAt, (first & ~(0x1FFL << LAST_FIELD_SHIFT)) | lastField);
            for (int e = 0; e < spec.elements(); e++) {
                LONGS.set(buffer, used, values.value(atRow, at + e));
                used += Long.BYTES;
            }
            // Continues only into a field of the same shape right behind this one.
            int lastElement = at + spec.elements() - 1;
            expected = field + spec.elements();
            field = catalog.next(atRow, lastElement, access);
            if (field != FieldId.NULL) {
                atRow = catalog.find(field);
                at = catalog.element(atRow, field);
                if (catalog.get(atRow).elements() != spec.elements()) {
                    expected = FieldId.NULL;
                }
            }
        }
        SHORTS.set(buffer, 0, (short) used);
        SHORTS.set(buffer, 2, (short) sequences);
        return field;
    }

    /** Class, size and code decide; whether a field is architectural (bit 63) does not. */
    private static boolean sameShape(long id, long expected) {
        return expected != FieldId.NULL
                && FieldId.fieldClass(id) == FieldId.fieldClass(expected)
                && FieldId.elementBytes(id) == FieldId.elementBytes(expected)
                && FieldId.code(id) == FieldId.code(expected);
    }
}
