// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.profile;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.profile.InvalidProfileException.Violation;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Everything that makes one host differ from another.
 *
 * @param name how users refer to it
 * @param description one line for listings
 * @param packages sockets, 1 to 8
 * @param cpusPerPackage logical CPUs in each, at least 1
 * @param physicalBits width of a physical address with the KeyID bits, 36 to 52
 * @param keyIds who may use which KeyID
 * @param nodes NUMA nodes with their RAM
 * @param cmrs convertible memory ranges as the firmware checked them; normally all RAM
 * @param module the TDX module that gets loaded
 * @param partialWriteErratum whether a partial write to private memory poisons it, as on Sapphire
 *     and Emerald Rapids
 * @param fragmentation how scattered free memory is at start
 */
public record MachineProfile(
        String name,
        String description,
        int packages,
        int cpusPerPackage,
        int physicalBits,
        KeyIdPartition keyIds,
        List<NumaNode> nodes,
        List<AddressRange> cmrs,
        ModuleProfile module,
        boolean partialWriteErratum,
        Fragmentation fragmentation) {

    private static final int MAX_PACKAGES = 8;
    private static final int MAX_CPUS = 4096;
    private static final int MAX_CMRS = 32;
    private static final int MAX_HKIDS = 2048;
    private static final int LOCAL_DISTANCE = 10;
    private static final int MAX_DISTANCE = 254;

    /**
     * A machine all of whose memory is free at start.
     *
     * @throws InvalidProfileException naming every bad field
     */
    public MachineProfile(
            String name,
            String description,
            int packages,
            int cpusPerPackage,
            int physicalBits,
            KeyIdPartition keyIds,
            List<NumaNode> nodes,
            List<AddressRange> cmrs,
            ModuleProfile module,
            boolean partialWriteErratum) {
        this(
                name,
                description,
                packages,
                cpusPerPackage,
                physicalBits,
                keyIds,
                nodes,
                cmrs,
                module,
                partialWriteErratum,
                Fragmentation.NONE);
    }

    /**
     * @throws InvalidProfileException naming every bad field
     */
    public MachineProfile {
        nodes = List.copyOf(nodes);
        cmrs = List.copyOf(cmrs);
        List<Violation> bad = new ArrayList<>();
        require(bad, !name.isBlank(), "name", "must not be empty");
        require(
                bad,
                packages >= 1 && packages <= MAX_PACKAGES,
                "packages",
                "is " + packages + ", must be 1 to " + MAX_PACKAGES);
        require(
                bad,
                cpusPerPackage >= 1 && (long) cpusPerPackage * Math.max(1, packages) <= MAX_CPUS,
                "cpusPerPackage",
                "is " + cpusPerPackage + ", must be at least 1 and " + MAX_CPUS + " in all");
        require(
                bad,
                physicalBits >= 36 && physicalBits <= Addresses.MAX_PHYSICAL_BITS,
                "physicalBits",
                "is " + physicalBits + ", must be 36 to " + Addresses.MAX_PHYSICAL_BITS);
        checkKeyIds(bad, keyIds, physicalBits);
        checkMemory(bad, nodes, cmrs, physicalBits - keyIds.bits());
        checkDistances(bad, nodes);
        fragmentation.check(bad);
        if (!bad.isEmpty()) {
            throw new InvalidProfileException(bad);
        }
    }

    /** Number of logical CPUs. */
    public int cpus() {
        return packages * cpusPerPackage;
    }

    /** Bytes of RAM on all nodes. */
    public long memoryBytes() {
        return nodes.stream().mapToLong(NumaNode::bytes).sum();
    }

    /** First byte after the highest RAM. */
    public long memoryEnd() {
        return nodes.stream()
                .flatMap(node -> node.memory().stream())
                .mapToLong(AddressRange::end)
                .max()
                .orElse(0);
    }

    /** Width of a physical address without the KeyID bits. */
    public int addressBits() {
        return physicalBits - keyIds.bits();
    }

    private static void checkKeyIds(List<Violation> bad, KeyIdPartition keyIds, int physicalBits) {
        require(
                bad,
                keyIds.bits() >= 0 && keyIds.bits() <= 15 && physicalBits - keyIds.bits() >= 32,
                "keyIds.bits",
                "is " + keyIds.bits() + ", must be 0 to 15 and leave 32 address bits");
        require(bad, keyIds.mktme() >= 0, "keyIds.mktme", "must not be negative");
        require(bad, keyIds.tdx() >= 0, "keyIds.tdx", "must not be negative");
        long all = 1L + keyIds.mktme() + keyIds.tdx();
        long encodable = Math.min(1L << Math.clamp(keyIds.bits(), 0, 15), MAX_HKIDS);
        require(
                bad,
                all <= encodable,
                "keyIds",
                "mktme and tdx need "
                        + all
                        + " KeyIDs with KeyID 0; "
                        + keyIds.bits()
                        + " bits hold "
                        + encodable);
    }

    private static void checkMemory(
            List<Violation> bad, List<NumaNode> nodes, List<AddressRange> cmrs, int addressBits) {
        require(bad, !nodes.isEmpty(), "nodes", "at least one node is needed");
        List<AddressRange> all = new ArrayList<>();
        for (int n = 0; n < nodes.size(); n++) {
            List<AddressRange> memory = nodes.get(n).memory();
            for (int r = 0; r < memory.size(); r++) {
                checkRange(bad, memory.get(r), "nodes[" + n + "].memory[" + r + "]", addressBits);
                all.add(memory.get(r));
            }
        }
        require(bad, !all.isEmpty(), "nodes", "no node has memory");
        requireDisjoint(bad, all, "nodes");
        require(
                bad,
                cmrs.size() <= MAX_CMRS,
                "cmrs",
                "there are " + cmrs.size() + ", at most " + MAX_CMRS + " fit");
        for (int i = 0; i < cmrs.size(); i++) {
            checkRange(bad, cmrs.get(i), "cmrs[" + i + "]", addressBits);
        }
        requireDisjoint(bad, cmrs, "cmrs");
    }

    private static void checkDistances(List<Violation> bad, List<NumaNode> nodes) {
        for (int n = 0; n < nodes.size(); n++) {
            List<Integer> distances = nodes.get(n).distances();
            int self = n;
            boolean fits =
                    distances.isEmpty()
                            || (distances.size() == nodes.size()
                                    && distances.get(self) == LOCAL_DISTANCE
                                    && distances.stream()
                                            .allMatch(
                                                    d -> d >= LOCAL_DISTANCE && d <= MAX_DISTANCE));
            require(
                    bad,
                    fits,
                    "nodes[" + n + "].distances",
                    "must have one entry of 10 to 254 for each node, and 10 for the node itself");
        }
    }

    private static void checkRange(
            List<Violation> bad, AddressRange range, String field, int addressBits) {
        require(
                bad,
                Addresses.isAligned(range.start(), Addresses.PAGE_SIZE)
                        && Addresses.isAligned(range.end(), Addresses.PAGE_SIZE),
                field,
                range + " is not made of whole 4 KiB pages");
        require(
                bad,
                addressBits >= 63 || range.end() <= 1L << Math.max(addressBits, 0),
                field,
                range
                        + " ends above the "
                        + addressBits
                        + " address bits that the KeyID bits leave");
    }

    private static void requireDisjoint(
            List<Violation> bad, List<AddressRange> ranges, String field) {
        List<AddressRange> sorted = new ArrayList<>(ranges);
        sorted.sort(Comparator.comparingLong(AddressRange::start));
        for (int i = 1; i < sorted.size(); i++) {
            require(
                    bad,
                    !sorted.get(i - 1).overlaps(sorted.get(i)),
                    field,
                    sorted.get(i - 1) + " overlaps " + sorted.get(i));
        }
    }

    private static void require(
            List<Violation> bad, boolean condition, String field, String description) {
        if (!condition) {
            bad.add(new Violation(field, description));
        }
    }
}
