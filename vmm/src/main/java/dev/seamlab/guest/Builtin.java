// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A program that comes with the house, scaled to the TD it runs in.
 *
 * @param name one of {@link #NAMES}
 * @param parameters by name, within their bounds
 */
public record Builtin(String name, Map<String, Long> parameters) implements Workload {
    /** Every built-in. */
    public static final List<String> NAMES = BuiltinPrograms.names();

    public Builtin {
        parameters = Map.copyOf(parameters);
    }

    /**
     * What a built-in is, for listings.
     *
     * @param parameters by name, as {@code least..most (usual)}
     */
    public record Description(String name, String purpose, Map<String, String> parameters) {}

    /** All built-ins, by name. */
    public static List<Description> all() {
        return NAMES.stream().map(Builtin::describe).toList();
    }

    private static Description describe(String name) {
        BuiltinPrograms.Row row = BuiltinPrograms.row(name);
        Map<String, String> parameters = new TreeMap<>();
        row.parameters()
                .forEach((key, p) ->
                        parameters.put(key, p.least() + ".." + p.most() + " (" + p.usual() + ")"));
        return new Description(name, row.purpose(), parameters);
    }

    /** A built-in with default parameters. */
    public static Builtin named(String name) {
        return (Builtin) Workload.parse(name);
    }

    @Override
    public List<Op> compile(GuestMemory memory, int vcpu, int vcpus) {
        return BuiltinPrograms.compile(this, memory, vcpu, vcpus);
    }

    @Override
    public String text() {
        StringBuilder text = new StringBuilder(name);
        new TreeMap<>(parameters)
                .forEach((key, value) -> text.append(' ').append(key).append('=').append(value));
        return text.toString();
    }
}
