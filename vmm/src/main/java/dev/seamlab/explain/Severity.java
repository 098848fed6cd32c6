// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.explain;

/** How bad a status is, from its top bits (facts: module ABI section 3.1). */
public enum Severity {
    /** The call did what it says. */
    SUCCESS,
    /** No error; bit 63 is clear, and the name says what there was to tell. */
    INFORMATIONAL,
    /** An error after which the same call may succeed: bit 63 set, bit 62 clear. */
    RECOVERABLE,
    /** An error that will come again until something else changes: bits 63 and 62 set. */
    NON_RECOVERABLE,
    /** The TD or vCPU is lost: bit 61 set, or bit 62 without the error bit. */
    FATAL;

    private static final long ERROR = 1L << 63;
    private static final long NON_RECOVERABLE_BIT = 1L << 62;
    private static final long FATAL_BIT = 1L << 61;

    /** How bad a status word is. */
    static Severity of(long status) {
        if ((status & FATAL_BIT) != 0) {
            return FATAL;
        }
        boolean again = (status & NON_RECOVERABLE_BIT) == 0;
        if ((status & ERROR) != 0) {
            return again ? RECOVERABLE : NON_RECOVERABLE;
        }
        if (!again) {
            return FATAL;
        }
        return status >>> 32 == 0 ? SUCCESS : INFORMATIONAL;
    }
}
