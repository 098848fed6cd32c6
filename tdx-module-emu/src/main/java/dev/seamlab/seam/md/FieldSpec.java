// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import dev.seamlab.seam.abi.FieldId;

/**
 * A metadata field: identity, shape and who may touch which bits (facts: module ABI sections 6.1
 * and 6.4). Masks are cut to the element's size.
 *
 * @param name name in the fact sheet
 * @param id identifier of the first element
 * @param fields consecutive fields of this shape
 * @param elements elements of each
 * @param hostRead bits the host reads on a production TD
 * @param debugRead bits the host reads on a debug TD
 * @param hostWrite bits the host writes on a production TD
 * @param debugWrite bits the host writes on a debug TD
 * @param guestRead bits the guest reads
 * @param guestWrite bits the guest writes
 */
public record FieldSpec(
        String name,
        long id,
        int fields,
        int elements,
        long hostRead,
        long debugRead,
        long hostWrite,
        long debugWrite,
        long guestRead,
        long guestWrite) {
    /** Every bit. */
    static final long ALL = -1L;

    /** Elements of all fields together: the field codes that belong here. */
    public int codes() {
        return fields * elements;
    }

    /** Bits that an access may read. */
    public long readable(FieldAccess access) {
        long mask =
                switch (access) {
                    case HOST -> hostRead;
                    case HOST_DEBUG -> debugRead;
                    case GUEST -> guestRead;
                };
        return mask & sizeMask();
    }

    /** Bits that an access may write. */
    public long writable(FieldAccess access) {
        long mask =
                switch (access) {
                    case HOST -> hostWrite;
                    case HOST_DEBUG -> debugWrite;
                    case GUEST -> guestWrite;
                };
        return mask & sizeMask();
    }

    /** Every bit of an element. */
    public long sizeMask() {
        int bits = Byte.SIZE * FieldId.elementBytes(id);
        return bits == Long.SIZE ? ALL : (1L << bits) - 1;
    }
}
