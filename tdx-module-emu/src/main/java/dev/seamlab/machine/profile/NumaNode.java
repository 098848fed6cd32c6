// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.profile;

import java.util.List;

/**
 * One NUMA node. Its number is its place in {@link MachineProfile#nodes}.
 *
 * @param memory the RAM that the firmware reports to the kernel, ascending, page aligned
 */
public record NumaNode(List<AddressRange> memory) {
    public NumaNode {
        memory = List.copyOf(memory);
    }

    /** Bytes of RAM. */
    public long bytes() {
        return memory.stream().mapToLong(AddressRange::size).sum();
    }
}
