// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.host.HostPolicy;
import dev.seamlab.host.HostPolicy.GetPut;
import dev.seamlab.host.Preset;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.pamt.PamtBacking;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/**
 * What is put to the test: a host's policy, and which get and put runs on it.
 *
 * @param name as users write it
 * @param origin where it comes from
 * @param policy of the host
 * @param backing get and put of a host that came up with this policy
 */
public record Variant(
        String name, String origin, HostPolicy policy, Function<TdxHost, PamtBacking> backing) {

    /** The variants of get and put that hosts can run, in the order of their history. */
    public static List<Variant> all() {
        List<Variant> all = new ArrayList<>();
        for (GetPut getPut : GetPut.values()) {
            all.add(of(getPut));
        }
        return all;
    }

    /** A variant of get and put, with everything else as in the default preset. */
    public static Variant of(GetPut getPut) {
        HostPolicy usual = Preset.DEFAULT.policy();
        String origin =
                switch (getPut) {
                    case GLOBAL_LOCK -> "v4 patch 7, as posted (R-13)";
                    case LOCK_AVOIDING -> "v4 patch 8, as posted (R-13, R-16, R-17)";
                    case DEC_AND_LOCK -> "v6 patch 6";
                    case ALWAYS_LOCK -> "merged";
                };
        return new Variant(
                getPut.name().toLowerCase(Locale.ROOT).replace('_', '-'),
                origin,
                new HostPolicy(
                        usual.pamt(), getPut, usual.refcounts(), usual.pool(), usual.install()),
                TdxHost::backing);
    }

    /**
     * The variants behind a name: of get and put, of a preset, or {@code all}.
     *
     * @throws IllegalArgumentException naming what there is
     */
    public static List<Variant> byName(String name) {
        if (name.equals("all")) {
            return all();
        }
        for (Variant variant : all()) {
            if (variant.name.equals(name)) {
                return List.of(variant);
            }
        }
        for (Preset preset : Preset.values()) {
            if (preset.id().equals(name) && preset != Preset.STATIC) {
                return List.of(new Variant(name, "preset", preset.policy(), TdxHost::backing));
            }
        }
        throw new IllegalArgumentException(
                "no variant is called \""
                        + name
                        + "\"; there are all, "
                        + String.join(", ", all().stream().map(Variant::name).toList())
                        + ", and the presets with Dynamic PAMT");
    }
}
