// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

/** Asked before each allocation, so that a test or an experiment can make memory run out. */
@FunctionalInterface
public interface AllocationGate {
    /** Lets everything through. */
    AllocationGate OPEN = (use, pages) -> true;

    /**
     * Whether an allocation may go on. Called without locks.
     *
     * @param use what the pages are for
     * @param pages how many, contiguous
     */
    boolean admits(PageUse use, long pages);
}
