// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.profile;

import dev.seamlab.machine.profile.InvalidProfileException.Violation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;

/**
 * Reads machine profiles from YAML.
 *
 * <pre>
 *   name: server-256g
 *   description: one socket, 256 GiB        # may be left out
 *   packages: 1
 *   cpusPerPackage: 32
 *   physicalBits: 52
 *   keyIds: {bits: 7, mktme: 31, tdx: 64}
 *   nodes:
 *     - memory: [0x100000-0x6f800000, 4GiB-66GiB]
 *       distances: [10]                      # left out: 10 to itself, 20 to others
 *   cmrs: [...]                              # left out: all memory
 *   module: 1.5.25                           # left out: 1.5.25
 *   partialWriteErratum: false               # left out: false
 *   fragmentation:                           # left out: all memory is free
 *     {seed: 1, extent: 50, used: 30, orders: [6, 3, 1]}
 * </pre>
 */
public final class ProfileReader {
    /** A profile is a page of text; whatever is larger was not meant to be one. */
    private static final int MAX_CHARACTERS = 1 << 20;

    private ProfileReader() {}

    /**
     * Reads a profile from a file.
     *
     * @throws InvalidProfileException naming every bad field
     * @throws IOException where the file cannot be read
     */
    public static MachineProfile read(Path file) throws IOException {
        if (Files.size(file) > MAX_CHARACTERS) {
            throw new InvalidProfileException(
                    "profile", "the file is larger than " + MAX_CHARACTERS + " bytes");
        }
        return parse(Files.readString(file));
    }

    /**
     * Reads a profile from its text.
     *
     * @throws InvalidProfileException naming every bad field
     */
    public static MachineProfile parse(String yaml) {
        List<Violation> bad = new ArrayList<>();
        YamlFields root = new YamlFields("", load(yaml), bad);
        String name = root.text("name", null);
        String description = root.text("description", "");
        int packages = root.number("packages", null);
        int cpus = root.number("cpusPerPackage", null);
        int physicalBits = root.number("physicalBits", null);
        KeyIdPartition keyIds = keyIds(root.mapping("keyIds"));
        List<NumaNode> nodes = nodes(root, bad);
        List<AddressRange> cmrs = root.has("cmrs") ? ranges(root, "cmrs", bad) : allMemory(nodes);
        ModuleProfile module = module(root, bad);
        boolean erratum = root.flag("partialWriteErratum", false);
        Fragmentation fragmentation =
                root.has("fragmentation")
                        ? fragmentation(root.mapping("fragmentation"))
                        : Fragmentation.NONE;
        root.requireNoOthers();
        if (!bad.isEmpty()) {
            throw new InvalidProfileException(bad);
        }
        return new MachineProfile(
                name,
                description,
                packages,
                cpus,
                physicalBits,
                keyIds,
                nodes,
                cmrs,
                module,
                erratum,
                fragmentation);
    }

    private static @Nullable Object load(String yaml) {
        if (yaml.length() > MAX_CHARACTERS) {
            throw new InvalidProfileException(
                    "profile", "is longer than " + MAX_CHARACTERS + " characters");
        }
        LoadSettings settings = LoadSettings.builder().setLabel("profile").build();
        try {
            return new Load(settings).loadFromString(yaml);
        } catch (MarkedYamlEngineException e) {
            String where =
                    e.getProblemMark()
                            .map(mark ->
                                    " at line "
                                            + (mark.getLine() + 1)
                                            + ", column "
                                            + (mark.getColumn() + 1))
                            .orElse("");
            throw new InvalidProfileException("profile", "is no YAML: " + e.getProblem() + where);
        } catch (YamlEngineException e) {
            throw new InvalidProfileException("profile", "is no YAML: " + e.getMessage());
        }
    }

    private static KeyIdPartition keyIds(YamlFields fields) {
        KeyIdPartition partition =
                new KeyIdPartition(
                        fields.number("bits", null),
                        fields.number("mktme", null),
                        fields.number("tdx", null));
        fields.requireNoOthers();
        return partition;
    }

    private static Fragmentation fragmentation(YamlFields fields) {
        Fragmentation fragmentation =
                new Fragmentation(
                        fields.number("seed", 0),
                        fields.number("extent", 100),
                        fields.number("used", null),
                        fields.has("orders") ? fields.numbers("orders") : List.of(1));
        fields.requireNoOthers();
        return fragmentation;
    }

    private static List<NumaNode> nodes(YamlFields root, List<Violation> bad) {
        List<NumaNode> nodes = new ArrayList<>();
        List<?> list = root.list("nodes");
        for (int i = 0; i < list.size(); i++) {
            YamlFields node = new YamlFields("nodes[" + i + "]", list.get(i), bad);
            List<AddressRange> memory = new ArrayList<>(ranges(node, "memory", bad));
            memory.sort(Comparator.comparingLong(AddressRange::start));
            List<Integer> distances = node.has("distances") ? node.numbers("distances") : List.of();
            node.requireNoOthers();
            nodes.add(new NumaNode(memory, distances));
        }
        return nodes;
    }

    private static List<AddressRange> ranges(YamlFields fields, String name, List<Violation> bad) {
        List<AddressRange> ranges = new ArrayList<>();
        List<?> list = fields.list(name);
        for (int i = 0; i < list.size(); i++) {
            String path = fields.pathOf(name) + "[" + i + "]";
            if (!(list.get(i) instanceof String text)) {
                bad.add(
                        new Violation(
                                path, RangeText.FORM + ", is " + YamlFields.describe(list.get(i))));
                continue;
            }
            try {
                ranges.add(RangeText.parse(text));
            } catch (IllegalArgumentException e) {
                bad.add(new Violation(path, String.valueOf(e.getMessage())));
            }
        }
        return ranges;
    }

    /** All RAM, neighbours joined: what a firmware without quirks declares convertible. */
    static List<AddressRange> allMemory(List<NumaNode> nodes) {
        List<AddressRange> sorted = new ArrayList<>();
        nodes.forEach(node -> sorted.addAll(node.memory()));
        sorted.sort(Comparator.comparingLong(AddressRange::start));
        List<AddressRange> joined = new ArrayList<>();
        for (AddressRange range : sorted) {
            if (!joined.isEmpty() && joined.getLast().end() == range.start()) {
                joined.set(
                        joined.size() - 1, new AddressRange(joined.getLast().start(), range.end()));
            } else {
                joined.add(range);
            }
        }
        return joined;
    }

    private static ModuleProfile module(YamlFields root, List<Violation> bad) {
        String name = root.text("module", ModuleProfile.V1_5_25.name());
        for (ModuleProfile module : ModuleProfile.ALL) {
            if (module.name().equals(name)) {
                return module;
            }
        }
        if (!name.isEmpty()) {
            bad.add(
                    new Violation(
                            "module",
                            "\""
                                    + name
                                    + "\" is no known module; there are "
                                    + ModuleProfile.ALL.stream()
                                            .map(ModuleProfile::name)
                                            .collect(Collectors.joining(", "))));
        }
        return ModuleProfile.V1_5_25;
    }
}
