// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.abi;

import org.jspecify.annotations.Nullable;

/**
 * A SEAMCALL completion status as it comes back in RAX.
 *
 * <pre>
 *    63     62        61      60     59      48 47   40 39   32 31                       0
 *   +-----+---------+-------+------+-----------+-------+-------+--------------------------+
 *   |error| non-rec.| fatal | hint | reserved  | class | name  | detail: operand id, or 0 |
 *   +-----+---------+-------+------+-----------+-------+-------+--------------------------+
 * </pre>
 *
 * Callers compare with {@link StatusCode#matches}, never with {@code ==}: the detail bits differ
 * per operand and must survive to whoever prints the word.
 */
public final class Status {
    public static final long SUCCESS = 0;

    /** Bits 63:32: everything but the detail. */
    public static final long CODE_MASK = 0xFFFF_FFFF_0000_0000L;

    /**
     * Statuses that software makes up for SEAMCALLs that fault (facts: module ABI section 1.1). The
     * class 0xFF is reserved for them.
     */
    public static final long SOFTWARE_ERROR = 0x8000_FF00_0000_0000L;

    private Status() {}

    /**
     * Whether bit 63 is set. Some non-recoverable exits and informational answers are no errors.
     */
    public static boolean isError(long status) {
        return status < 0;
    }

    /** Whether a caller may simply try again: error set, non-recoverable clear. */
    public static boolean isRecoverable(long status) {
        return status < 0 && (status & (1L << 62)) == 0;
    }

    /** Class, bits 47:40. */
    public static int statusClass(long status) {
        return (int) (status >>> 40) & 0xFF;
    }

    /** Detail, bits 31:0: an operand id or something leaf-specific. */
    public static long detail(long status) {
        return status & ~CODE_MASK;
    }

    /** For people: name, operand and the word itself. */
    public static String show(long status) {
        StatusCode code = StatusCode.of(status);
        String word = String.format("0x%016x", status);
        if (code == null) {
            return word;
        }
        long detail = detail(status);
        @Nullable Operand operand = Operand.of((int) detail);
        boolean named = operand != null && namesOperand(code);
        if (named) {
            return code + "|" + operand + " (" + word + ")";
        }
        return detail == 0
                ? code + " (" + word + ")"
                : code + "|0x" + Long.toHexString(detail) + " (" + word + ")";
    }

    /**
     * Whether the low half of this code is an operand id, 0 meaning RAX. Only the class of invalid
     * operands uses id 0 on purpose; elsewhere 0 says that no operand is meant.
     */
    private static boolean namesOperand(StatusCode code) {
        return switch (code) {
            case OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR, OPERAND_BUSY -> true;
            default -> false;
        };
    }
}
