// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import dev.seamlab.host.HostPolicy.GetPut;
import dev.seamlab.host.HostPolicy.Install;
import dev.seamlab.host.HostPolicy.Pamt;
import dev.seamlab.host.HostPolicy.Pool;
import dev.seamlab.host.HostPolicy.Refcounts;
import java.util.Arrays;
import java.util.stream.Collectors;

/** Named combinations of variants: the versions of the Dynamic PAMT series. */
public enum Preset {
    V4(
            "v4",
            "version 4 with its get/put race fixed; the default",
            new HostPolicy(
                    Pamt.DYNAMIC,
                    GetPut.DEC_AND_LOCK,
                    Refcounts.SPARSE,
                    Pool.MIXED_POOL,
                    Install.AT_FAULT)),
    V4_AS_POSTED(
            "v4-as-posted",
            "version 4 as posted, the get/put race (R-16) included",
            new HostPolicy(
                    Pamt.DYNAMIC,
                    GetPut.LOCK_AVOIDING,
                    Refcounts.SPARSE,
                    Pool.MIXED_POOL,
                    Install.AT_FAULT)),
    V4_BASE(
            "v4-base",
            "version 4 without its two optimisation patches",
            new HostPolicy(
                    Pamt.DYNAMIC,
                    GetPut.GLOBAL_LOCK,
                    Refcounts.FLAT,
                    Pool.MIXED_POOL,
                    Install.AT_FAULT)),
    V6(
            "v6",
            "version 6",
            new HostPolicy(
                    Pamt.DYNAMIC,
                    GetPut.DEC_AND_LOCK,
                    Refcounts.FLAT,
                    Pool.PAIR_CACHE,
                    Install.AT_FAULT)),
    MERGED(
            "merged",
            "as merged in September 2026",
            new HostPolicy(
                    Pamt.DYNAMIC,
                    GetPut.ALWAYS_LOCK,
                    Refcounts.FLAT,
                    Pool.PAIR_CACHE,
                    Install.AT_FAULT)),
    STATIC(
            "static",
            "static PAMT even where the module has Dynamic PAMT",
            new HostPolicy(
                    Pamt.STATIC,
                    GetPut.DEC_AND_LOCK,
                    Refcounts.SPARSE,
                    Pool.MIXED_POOL,
                    Install.AT_FAULT));

    /** What a host runs unless told otherwise. */
    public static final Preset DEFAULT = V4;

    private final String id;
    private final String description;
    private final HostPolicy policy;

    Preset(String id, String description, HostPolicy policy) {
        this.id = id;
        this.description = description;
        this.policy = policy;
    }

    /** The name users write. */
    public String id() {
        return id;
    }

    /** One line for listings. */
    public String description() {
        return description;
    }

    /** The variants it stands for. */
    public HostPolicy policy() {
        return policy;
    }

    /**
     * The preset with a name.
     *
     * @throws IllegalArgumentException naming all presets
     */
    public static Preset byName(String name) {
        for (Preset preset : values()) {
            if (preset.id.equals(name)) {
                return preset;
            }
        }
        throw new IllegalArgumentException(
                "no preset is called \""
                        + name
                        + "\"; there are "
                        + Arrays.stream(values())
                                .map(Preset::id)
                                .collect(Collectors.joining(", ")));
    }
}
