// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import dev.seamlab.host.HostPolicy.GetPut;
import dev.seamlab.host.HostPolicy.Install;
import dev.seamlab.host.HostPolicy.Pamt;
import dev.seamlab.host.HostPolicy.Pool;
import dev.seamlab.host.HostPolicy.Refcounts;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.stream.Collectors;

/**
 * Policies as users write them: a preset, and after it the axes on which the host is to differ from
 * it, for example {@code v4,install=at-topup,get-put=always-lock}.
 */
public final class PolicyText {
    /** One axis: what its variants are called, and how a policy takes one. */
    private record Axis<V extends Enum<V>>(
            Class<V> variants, BiFunction<HostPolicy, V, HostPolicy> change) {
        private HostPolicy apply(HostPolicy policy, String axis, String variant) {
            for (V one : variants.getEnumConstants()) {
                if (name(one).equals(variant)) {
                    return change.apply(policy, one);
                }
            }
            throw new IllegalArgumentException(
                    "there is no "
                            + axis
                            + "="
                            + variant
                            + "; there are "
                            + Arrays.stream(variants.getEnumConstants())
                                    .map(PolicyText::name)
                                    .collect(Collectors.joining(", ")));
        }
    }

    private static final Map<String, Axis<?>> AXES = new LinkedHashMap<>();

    static {
        AXES.put("pamt", new Axis<>(Pamt.class, HostPolicy::with));
        AXES.put("get-put", new Axis<>(GetPut.class, HostPolicy::with));
        AXES.put("refcounts", new Axis<>(Refcounts.class, HostPolicy::with));
        AXES.put("pool", new Axis<>(Pool.class, HostPolicy::with));
        AXES.put("install", new Axis<>(Install.class, HostPolicy::with));
    }

    private PolicyText() {}

    /**
     * Reads a policy.
     *
     * @throws IllegalArgumentException saying what is unknown and what there is
     */
    public static HostPolicy parse(String text) {
        String[] parts = text.split(",", -1);
        HostPolicy policy = Preset.byName(parts[0].strip()).policy();
        for (int i = 1; i < parts.length; i++) {
            String[] sides = parts[i].strip().split("=", 2);
            Axis<?> axis = AXES.get(sides[0]);
            if (axis == null || sides.length < 2) {
                throw new IllegalArgumentException(
                        "\""
                                + parts[i].strip()
                                + "\" is no change of a preset: write AXIS=VARIANT, with an axis of "
                                + String.join(", ", AXES.keySet()));
            }
            policy = axis.apply(policy, sides[0], sides[1]);
        }
        return policy;
    }

    private static String name(Enum<?> variant) {
        return variant.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }
}
