// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

/**
 * Exceptions, and the NMI, that the module injects, as VM-entry interruption information.
 *
 * <pre>
 *    31     12  11   10      8 7        0
 *   +-----+----+----+---------+----------+
 *   |valid| 0  |code|   type   |  vector  |
 *   +-----+----+----+---------+----------+
 * </pre>
 *
 * "code" says that the exception pushes an error code.
 */
final class Injection {
    static final long NONE = 0;

    /** Type 2: not an exception. */
    static final long NMI = 0x8000_0202L;

    static final long INVALID_OPCODE = 0x8000_0306L;
    static final long DOUBLE_FAULT = 0x8000_0B08L;
    static final long GENERAL_PROTECTION = 0x8000_0B0DL;
    static final long PAGE_FAULT = 0x8000_0B0EL;
    static final long VIRTUALIZATION_EXCEPTION = 0x8000_0314L;

    private Injection() {}
}
