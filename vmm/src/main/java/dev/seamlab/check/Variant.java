// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.host.HostPolicy;
import dev.seamlab.host.HostPolicy.GetPut;
import dev.seamlab.host.Preset;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.pamt.PamtBacking;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.kvm.PairLedger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * What is put to the test: a host's policy, and which get and put runs on it.
 *
 * @param name as users write it
 * @param origin where it comes from
 * @param policy of the host
 * @param backing get and put of a host that came up with this policy
 * @param vms KVM on that host
 */
public record Variant(
        String name,
        String origin,
        HostPolicy policy,
        Function<TdxHost, PamtBacking> backing,
        VmMaker vms) {

    /** Makes the VMs of programs on TDs; parameters as of {@link KvmTdx}. */
    @FunctionalInterface
    public interface VmMaker {
        /** A VM without anything. */
        KvmTdx make(TdxHost host, PairLedger ledger, int owner, int maxVcpus);
    }

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
                TdxHost::backing,
                KvmTdx::new);
    }

    /** A preset, with everything that belongs to it. */
    public static Variant of(Preset preset) {
        return new Variant(
                preset.id(), preset.description(), preset.policy(), TdxHost::backing, KvmTdx::new);
    }

    /**
     * The variants that programs are checked under unless told otherwise: of get and put for
     * programs on ranges; for programs on TDs every preset, because pools and the moment of
     * installing matter there too.
     */
    public static List<Variant> all(Verb.Room room) {
        return switch (room) {
            case PAMT -> all();
            case KVM -> Arrays.stream(Preset.values()).map(Variant::of).toList();
        };
    }

    /**
     * The variants behind a name: of get and put, of a preset, or {@code all}.
     *
     * @param room what the program is about; without Dynamic PAMT there is nothing to get and put
     * @throws IllegalArgumentException naming what there is
     */
    public static List<Variant> byName(String name, Verb.Room room) {
        if (name.equals("all")) {
            return all(room);
        }
        List<Variant> known = new ArrayList<>(all());
        known.addAll(all(Verb.Room.KVM));
        known.removeIf(variant -> room == Verb.Room.PAMT && !variant.isDynamic());
        return List.of(
                known.stream()
                        .filter(variant -> variant.name.equals(name))
                        .findFirst()
                        .orElseThrow(() ->
                                new IllegalArgumentException(
                                        "no variant is called \""
                                                + name
                                                + "\"; there are all, "
                                                + known.stream()
                                                        .map(Variant::name)
                                                        .collect(Collectors.joining(", ")))));
    }

    private boolean isDynamic() {
        return policy.pamt() == HostPolicy.Pamt.DYNAMIC;
    }
}
