// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.kernel;

/**
 * Where the host's kernel log goes, one line a call, without a line break. Lines read like those of
 * the kernel ({@code virt/tdx: 10244 KB allocated for PAMT}). Called from any thread; never on a
 * path that succeeds after boot.
 */
@FunctionalInterface
public interface KernelLog {
    /** A log that keeps nothing. */
    KernelLog SILENT = text -> {};

    /** Takes one line. */
    void line(String text);
}
