// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

/**
 * What became of a change of guest memory that user space asked for.
 *
 * @param errno OK, or why it was not done, or not in full
 * @param pages 4K pages that it was about: private mappings removed, or pages given back
 */
public record MemoryChange(int errno, long pages) {
    /** Nothing was done. */
    static MemoryChange refused(int errno) {
        return new MemoryChange(errno, 0);
    }
}
