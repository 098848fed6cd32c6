// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.profile;

import java.util.List;

/**
 * One NUMA node. Its number is its place in {@link MachineProfile#nodes}.
 *
 * @param memory the RAM that the firmware reports to the kernel, ascending, page aligned
 * @param distances how far each node is from here, by number, as the ACPI SLIT has it; empty: 10
 *     for the node itself, 20 for the others
 */
public record NumaNode(List<AddressRange> memory, List<Integer> distances) {
    private static final int LOCAL_DISTANCE = 10;
    private static final int REMOTE_DISTANCE = 20;

    public NumaNode {
        memory = List.copyOf(memory);
        distances = List.copyOf(distances);
    }

    /** A node that is equally far from all others. */
    public NumaNode(List<AddressRange> memory) {
        this(memory, List.of());
    }

    /** Bytes of RAM. */
    public long bytes() {
        return memory.stream().mapToLong(AddressRange::size).sum();
    }

    /**
     * How far a node is from here.
     *
     * @param self this node's number
     */
    public int distanceTo(int self, int other) {
        if (distances.isEmpty()) {
            return self == other ? LOCAL_DISTANCE : REMOTE_DISTANCE;
        }
        return distances.get(other);
    }
}
