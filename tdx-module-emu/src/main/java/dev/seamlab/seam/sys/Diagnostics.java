// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sys;

import dev.seamlab.machine.Hpa;
import dev.seamlab.seam.core.AddressRules;
import dev.seamlab.seam.core.ModuleState;

/**
 * R8 of TDH.SYS.INIT, version 1: what the module does before it stops for a fatal error. The model
 * never stops so; it checks the operand, and clears the record as each CPU is initialised.
 *
 * <pre>
 *    63          56 55      54 53  52 51            6 5   0
 *   +--------------+----------+------+---------------+-----+
 *   |    vector    | notify by|  0   | HPA of record |  0  |
 *   +--------------+----------+------+---------------+-----+
 * </pre>
 *
 * The record is a cache line of the host; all ones says that none is wanted. Notification: none, an
 * interrupt with a vector of 16 or more, an NMI, an SMI.
 */
final class Diagnostics {
    /** Bytes of the record. */
    static final int RECORD_BYTES = 64;

    private static final long RECORD_BITS = 0x000F_FFFF_FFFF_FFC0L;
    private static final long RESERVED_BITS = 0x0030_0000_0000_003FL;
    private static final int NOTIFY_SHIFT = 54;
    private static final int NOTIFY_MASK = 0x3;
    private static final int NOTIFY_INTERRUPT = 1;
    private static final int VECTOR_SHIFT = 56;
    private static final int FIRST_VECTOR = 16;

    private Diagnostics() {}

    /** Whether the module takes the operand. */
    static boolean isValid(long operand, AddressRules addresses) {
        if ((operand & RESERVED_BITS) != 0) {
            return false;
        }
        if (wantsRecord(operand) && !addresses.isShared(operand & RECORD_BITS)) {
            return false;
        }
        int notify = (int) (operand >>> NOTIFY_SHIFT) & NOTIFY_MASK;
        return notify != NOTIFY_INTERRUPT || operand >>> VECTOR_SHIFT >= FIRST_VECTOR;
    }

    /** Where the record is, or {@link ModuleState#NO_RECORD}. */
    static @Hpa long record(long operand, AddressRules addresses) {
        return wantsRecord(operand)
                ? addresses.withoutHkid(operand & RECORD_BITS)
                : ModuleState.NO_RECORD;
    }

    private static boolean wantsRecord(long operand) {
        return (operand & RECORD_BITS) != RECORD_BITS;
    }
}
