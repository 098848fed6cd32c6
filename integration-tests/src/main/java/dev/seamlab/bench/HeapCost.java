// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import dev.seamlab.kvm.KvmExit;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.kvm.KvmVcpu;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.profile.BuiltInProfiles;
import java.lang.management.ManagementFactory;
import java.util.Locale;

/**
 * What stays on the heap: a host that is up and idle, and each private page that is mapped and
 * accepted. Bytes are what a full collection leaves, minus what it left before. Prints one line for
 * each: what, value, unit, separated by tabs.
 */
final class HeapCost {
    /** Guest whose pages are counted. */
    private static final int GIB = 64;

    private HeapCost() {}

    public static void main(String[] args) {
        // Classes, constants and string tables of a first host are not the second one's cost.
        startedHost(BuiltInProfiles.DEFAULT, "v4");
        startedHost(BuiltInProfiles.DEFAULT, "static");
        mappedPages("v4", 1);
        for (String profile : BuiltInProfiles.names()) {
            for (String preset : new String[] {"static", "v4"}) {
                double mib = startedHost(profile, preset) / (double) (1 << 20);
                print("heap of a started host, " + profile + ", " + preset, mib, "MiB");
            }
        }
        double each = mappedPages("v4", GIB);
        print("heap per accepted 4K page, " + GIB + " GiB, v4", each, "B");
    }

    private static void print(String what, double value, String unit) {
        System.out.printf(Locale.ROOT, "%s\t%.2f\t%s%n", what, value, unit);
    }

    private static long startedHost(String profile, String preset) {
        long before = live();
        Lab lab = new Lab(profile, preset);
        long after = live();
        lab.close(); // alive until here
        return after - before;
    }

    private static double mappedPages(String preset, int gib) {
        Lab lab = new Lab("server-256g", preset);
        KvmTdx td = lab.td(gib * Addresses.GIB, 0);
        KvmVcpu vcpu = lab.vcpus().getFirst();
        TouchGuest guest = new TouchGuest(vcpu);
        vcpu.bindGuest(guest);
        int pages = gib << (Addresses.GIB_SHIFT - Addresses.PAGE_SHIFT);
        int[] order = Order.IN_ORDER.of(pages);
        guest.plan(order, new Shape.Share(0, pages, 1));
        long before = live();
        KvmExit exit = vcpu.run();
        long after = live();
        if (guest.done() != pages || td.stats().get(Counter.PRIVATE_PAGES) != pages) {
            throw new IllegalStateException("after " + guest.done() + " pages: " + exit);
        }
        lab.close();
        return (double) (after - before) / pages;
    }

    /** Bytes on the heap that something still refers to. */
    private static long live() {
        for (int i = 0; i < 3; i++) {
            System.gc();
        }
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }
}
