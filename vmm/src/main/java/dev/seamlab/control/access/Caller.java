// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.access;

/**
 * Who calls.
 *
 * @param name as the token file has it, for logs; empty where it gives none
 * @param role what the caller may do
 */
record Caller(String name, Role role) {
    /** Anybody, where no token file says who is who. */
    static final Caller ANYBODY = new Caller("", Role.LAB);
}
