// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.kernel.Errno;

/**
 * What became of a change of guest memory that user space asked for.
 *
 * @param errno OK, or why it was not done, or not in full
 * @param pages 4K pages that it was about: private mappings removed, or pages given back
 */
public record MemoryChange(int errno, long pages) {
    /** Done, and no page was concerned. */
    static final MemoryChange NOTHING = new MemoryChange(Errno.OK, 0);

    /** Done, and it was one page: what a guest's bounce buffers ask for, again and again. */
    private static final MemoryChange ONE_PAGE = new MemoryChange(Errno.OK, 1);

    /** Done, perhaps with leaks. */
    static MemoryChange of(int errno, long pages) {
        if (errno == Errno.OK && pages <= 1) {
            return pages == 0 ? NOTHING : ONE_PAGE;
        }
        return new MemoryChange(errno, pages);
    }

    /** Nothing was done. */
    static MemoryChange refused(int errno) {
        return new MemoryChange(errno, 0);
    }
}
