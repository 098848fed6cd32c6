// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import dev.seamlab.vmm.RawMachine;

/**
 * A machine that raw calls can be for.
 *
 * @param name resource name; empty for the server's host
 * @param raw the machine
 * @param tap where its SEAMCALLs can be watched
 * @param maxPages pages with contents up to which memory may be written over the API
 */
record RawTarget(String name, RawMachine raw, SeamcallTap tap, long maxPages) {
    RawTarget(String name, RawMachine raw, long maxPages) {
        this(name, raw, new SeamcallTap(raw.machine()), maxPages);
    }
}
