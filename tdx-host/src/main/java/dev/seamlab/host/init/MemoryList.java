// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.init;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.NumaNode;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * All memory that TDX may use: what the firmware reported, without the first MiB, ascending and
 * disjoint (facts: Linux sheet section 2.3). Like the kernel this does not read the CMRs:
 * SYS.CONFIG refuses what is not convertible.
 */
public record MemoryList(List<MemoryBlock> blocks) {
    public MemoryList {
        blocks = List.copyOf(blocks);
    }

    /**
     * The list for a machine's nodes.
     *
     * @throws TdxInitException EINVAL where ranges overlap or nothing is left
     */
    public static MemoryList of(List<NumaNode> nodes) throws TdxInitException {
        List<MemoryBlock> blocks = new ArrayList<>();
        for (int node = 0; node < nodes.size(); node++) {
            for (AddressRange range : nodes.get(node).memory()) {
                long start = Math.max(range.start(), PageAllocator.FIRST_BYTE);
                if (start < range.end()) {
                    blocks.add(
                            new MemoryBlock(
                                    Addresses.pfn(start), Addresses.pfn(range.end()), node));
                }
            }
        }
        blocks.sort(Comparator.comparingLong(MemoryBlock::startPfn));
        if (blocks.isEmpty()) {
            throw new TdxInitException(
                    InitStep.MEMORY_LIST, Errno.EINVAL, "there is no memory above the first MiB");
        }
        for (int i = 1; i < blocks.size(); i++) {
            if (blocks.get(i).startPfn() < blocks.get(i - 1).endPfn()) {
                throw new TdxInitException(
                        InitStep.MEMORY_LIST,
                        Errno.EINVAL,
                        "memory at " + Addresses.show(blocks.get(i).start()) + " is listed twice");
            }
        }
        return new MemoryList(blocks);
    }

    /** First frame after the highest memory. */
    public @Pfn long maxPfn() {
        return blocks.getLast().endPfn();
    }

    /** Bytes in all blocks. */
    public long bytes() {
        return blocks.stream().mapToLong(block -> block.end() - block.start()).sum();
    }

    /** Whether one block holds all of a range; memory hot-added later is in none. */
    public boolean contains(@Hpa long start, @Hpa long end) {
        return blocks.stream().anyMatch(block -> start >= block.start() && end <= block.end());
    }
}
