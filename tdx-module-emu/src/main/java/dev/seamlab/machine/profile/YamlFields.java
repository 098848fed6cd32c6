// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.profile;

import dev.seamlab.machine.profile.InvalidProfileException.Violation;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/**
 * One YAML mapping on its way into a record: each field is asked for by name and type, what is bad
 * is collected, and what nobody asked for is unknown.
 */
final class YamlFields {
    private final String path;
    private final Map<String, @Nullable Object> fields = new LinkedHashMap<>();
    private final TreeSet<String> known = new TreeSet<>();
    private final List<Violation> bad;
    // What is no mapping has been complained about; its fields need no further complaints.
    private final boolean readable;

    /**
     * @param path where the mapping stands; empty for the document
     * @param bad receives what is wrong
     */
    YamlFields(String path, @Nullable Object value, List<Violation> bad) {
        this.path = path;
        this.bad = bad;
        this.readable = value instanceof Map<?, ?>;
        if (value instanceof Map<?, ?> map) {
            map.forEach((key, field) -> fields.put(String.valueOf(key), field));
        } else {
            violation(
                    path.isEmpty() ? "profile" : path,
                    value == null && !path.isEmpty()
                            ? "is missing"
                            : "must be a mapping of fields, is " + describe(value));
        }
    }

    /** Path of a field of this mapping. */
    String pathOf(String name) {
        return path.isEmpty() ? name : path + "." + name;
    }

    /** Whether a field is there; counts as asking for it. */
    boolean has(String name) {
        known.add(name);
        return fields.containsKey(name);
    }

    String text(String name, @Nullable String fallback) {
        @Nullable Object value = take(name, fallback);
        if (value instanceof String text) {
            return text;
        }
        // 1.5 is a number to YAML and a version to people.
        if (value instanceof Number) {
            return value.toString();
        }
        return value == null ? "" : wrong(name, "must be a text", value, "");
    }

    int number(String name, @Nullable Integer fallback) {
        @Nullable Object value = take(name, fallback);
        if (value instanceof Integer number) {
            return number;
        }
        return value == null ? 0 : wrong(name, "must be a whole number", value, 0);
    }

    boolean flag(String name, boolean fallback) {
        @Nullable Object value = take(name, fallback);
        if (value instanceof Boolean flag) {
            return flag;
        }
        return value != null && wrong(name, "must be true or false", value, false);
    }

    List<?> list(String name) {
        @Nullable Object value = take(name, null);
        if (value instanceof List<?> list) {
            return list;
        }
        return value == null ? List.of() : wrong(name, "must be a list", value, List.of());
    }

    /** A list of whole numbers; what is none is complained about and left out. */
    List<Integer> numbers(String name) {
        List<Integer> numbers = new ArrayList<>();
        for (@Nullable Object element : list(name)) {
            if (element instanceof Integer number) {
                numbers.add(number);
            } else {
                violation(pathOf(name), "must be whole numbers, has " + describe(element));
            }
        }
        return numbers;
    }

    YamlFields mapping(String name) {
        known.add(name);
        return new YamlFields(pathOf(name), fields.get(name), bad);
    }

    /** Complains about every field that nobody asked for. */
    void requireNoOthers() {
        for (String name : fields.keySet()) {
            if (!known.contains(name)) {
                violation(
                        pathOf(name),
                        "is no field of a profile; here may stand " + String.join(", ", known));
            }
        }
    }

    private @Nullable Object take(String name, @Nullable Object fallback) {
        known.add(name);
        if (fields.containsKey(name)) {
            Object value = fields.get(name);
            if (value == null) {
                violation(pathOf(name), "is empty");
            }
            return value;
        }
        if (fallback == null && readable) {
            violation(pathOf(name), "is missing");
        }
        return fallback;
    }

    private <T> T wrong(String name, String rule, Object value, T instead) {
        violation(pathOf(name), rule + ", is " + describe(value));
        return instead;
    }

    private void violation(String field, String description) {
        bad.add(new Violation(field, description));
    }

    static String describe(@Nullable Object value) {
        return switch (value) {
            case null -> "empty";
            case Map<?, ?> _ -> "a mapping";
            case List<?> _ -> "a list";
            case String text -> "the text \"" + text + "\"";
            default -> value.toString();
        };
    }
}
