// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import dev.seamlab.seam.abi.StatusCode;

/**
 * The fields of one context as one caller may see them: what the RD and WR leaves of host and guest
 * work on, see {@link FieldLeaves}.
 */
public interface FieldView {
    /** Identities and order. */
    FieldCatalog catalog();

    /** Who looks. */
    FieldAccess access();

    /** Value of an element, whoever may see it. */
    long value(int row, int element);

    /**
     * Writes an element, masks and unchanged bits being checked.
     *
     * @param value the value with the bits that are not written as they are
     * @param written bits that are written
     * @return SUCCESS, or why the value cannot be
     */
    long store(int row, int element, long value, long written);

    /** The identifier that stands in the catalogue for another spelling of it. */
    default long canonical(long id) {
        return id;
    }

    /** Whether the catalogue has one row for each element of a field, as for CPUID_VALUES. */
    default boolean isOneFieldOfManyRows(long id) {
        return false;
    }

    /**
     * Answer for an identifier that the catalogue does not have. Reads that SUCCEED read zero.
     *
     * @param write whether it is to be written
     */
    default long unlisted(long id, boolean write) {
        return StatusCode.METADATA_FIELD_ID_INCORRECT.word();
    }

    /**
     * The value that a write starts from. For most fields it is the one that is read.
     *
     * @param whole whether every bit of the element is written
     */
    default long base(int row, int element, boolean whole) {
        return value(row, element);
    }
}
