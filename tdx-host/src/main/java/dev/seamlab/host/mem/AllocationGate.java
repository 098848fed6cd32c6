// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import dev.seamlab.host.cpu.HostCpu;

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

    /**
     * As {@link #admits(PageUse, long)}, for one page that a thread wants on a CPU it has claimed:
     * so a gate can tell CPUs apart, and whom they work for.
     */
    default boolean admits(HostCpu cpu, PageUse use) {
        return admits(use, 1);
    }
}
