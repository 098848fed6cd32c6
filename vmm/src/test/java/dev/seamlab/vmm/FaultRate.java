// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import com.sun.management.OperatingSystemMXBean;
import dev.seamlab.guest.Workload;
import dev.seamlab.host.Preset;
import dev.seamlab.machine.profile.BuiltInProfiles;
import dev.seamlab.machine.sched.Waits;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Measures private faults, each with TD exit, AUG, ACCEPT and a touch, on this machine. Not a test:
 * run it by hand, without assertions, with {@code -XX:+UseParallelGC -Xms8g -Xmx8g
 * -XX:+AlwaysPreTouch}. Arguments: TDs, vCPUs of each, MiB of each, rounds, presets (by comma).
 *
 * <p>The CPU time of the process stands beside the wall time: it hardly moves when neighbours take
 * the CPUs away, and it is the same per fault with two threads as with one where nothing is shared.
 */
final class FaultRate {
    private static final OperatingSystemMXBean OS =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private FaultRate() {}

    public static void main(String[] args) throws InterruptedException {
        int tds = args.length > 0 ? Integer.parseInt(args[0]) : 1;
        int vcpus = args.length > 1 ? Integer.parseInt(args[1]) : 1;
        long mib = args.length > 2 ? Long.parseLong(args[2]) : 2048;
        int rounds = args.length > 3 ? Integer.parseInt(args[3]) : 12;
        String[] presets = (args.length > 4 ? args[4] : "static,v4,merged").split(",", -1);
        double[][][] samples = new double[presets.length][3][rounds];
        for (int round = 0; round < rounds; round++) {
            for (int p = 0; p < presets.length; p++) {
                double[] one = measure(presetOf(presets[p]), tds, vcpus, mib);
                for (int i = 0; i < one.length; i++) {
                    samples[p][i][round] = one[i];
                }
            }
        }
        for (int p = 0; p < presets.length; p++) {
            System.out.printf(
                    "%-8s %d TD x %d vCPU: wall %6.1f (best %6.1f)  cpu %6.1f (best %6.1f) ns a"
                            + " fault;  teardown cpu %6.1f (best %6.1f)%n",
                    presets[p],
                    tds,
                    vcpus,
                    median(samples[p][0]),
                    best(samples[p][0]),
                    median(samples[p][1]),
                    best(samples[p][1]),
                    median(samples[p][2]),
                    best(samples[p][2]));
        }
    }

    private static Preset presetOf(String id) {
        return Arrays.stream(Preset.values())
                .filter(preset -> preset.id().equals(id))
                .findFirst()
                .orElseThrow();
    }

    /** The later half of the rounds: the earlier ones warm up. */
    private static double median(double[] all) {
        double[] late = Arrays.copyOfRange(all, all.length / 2, all.length);
        Arrays.sort(late);
        return late[late.length / 2];
    }

    private static double best(double[] all) {
        return Arrays.stream(all).min().orElseThrow();
    }

    private static double[] measure(Preset preset, int tds, int vcpus, long mib)
            throws InterruptedException {
        VmmOptions options = new VmmOptions(BuiltInProfiles.byName("server-256g"), preset);
        try (Vmm vmm = Vmm.start(options).orThrow()) {
            List<TrustDomain> all = new ArrayList<>();
            for (int i = 0; i < tds; i++) {
                TrustDomainSpec spec =
                        TrustDomainSpec.of("td" + i, mib << 20, vcpus, Workload.parse("touch-all"));
                all.add(vmm.create(spec).orThrow());
            }
            System.gc();
            long cpu = OS.getProcessCpuTime();
            long start = System.nanoTime();
            for (int i = 0; i < tds; i++) {
                vmm.start("td" + i).orThrow();
            }
            long faults = 0;
            for (TrustDomain td : all) {
                Waits.until(() -> td.snapshot().progress().finishedVcpus() >= vcpus);
                faults += td.snapshot().progress().privateFaults();
            }
            double wall = (double) (System.nanoTime() - start) / faults;
            double used = (double) (OS.getProcessCpuTime() - cpu) / faults;
            for (int i = 0; i < tds; i++) {
                vmm.stop("td" + i).orThrow();
            }
            cpu = OS.getProcessCpuTime();
            for (int i = 0; i < tds; i++) {
                vmm.delete("td" + i).orThrow();
            }
            return new double[] {wall, used, (double) (OS.getProcessCpuTime() - cpu) / faults};
        }
    }
}
