// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.explain;

/**
 * What a status word says.
 *
 * @param word the word
 * @param name name of its code; empty where the module defines none
 * @param statusClass class number, bits 47:40
 * @param className name of the class; empty where there is no such class
 * @param severity how bad it is
 * @param detail low half, bits 31:0
 * @param operand the operand that the low half names; empty where it names none
 * @param cause what usually causes it
 * @param next what to do next
 */
public record Explanation(
        long word,
        String name,
        int statusClass,
        String className,
        Severity severity,
        long detail,
        String operand,
        String cause,
        String next) {
    /** Whether bit 63 says error. */
    public boolean error() {
        return word < 0;
    }

    /** Whether the same call may succeed later. */
    public boolean recoverable() {
        return severity == Severity.RECOVERABLE;
    }
}
