// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.guest.Workload;
import dev.seamlab.host.Preset;
import dev.seamlab.machine.profile.BuiltInProfiles;

/**
 * Measures private faults of one TD, with and without ACCEPT, on this machine. Not a test: run it
 * by hand, without assertions. Arguments: vCPUs, MiB, rounds.
 */
final class FaultRate {
    private FaultRate() {}

    public static void main(String[] args) throws InterruptedException {
        int vcpus = args.length > 0 ? Integer.parseInt(args[0]) : 1;
        long mib = args.length > 1 ? Long.parseLong(args[1]) : 4096;
        int rounds = args.length > 2 ? Integer.parseInt(args[2]) : 3;
        for (int round = 0; round < rounds; round++) {
            for (Preset preset : new Preset[] {Preset.STATIC, Preset.V4, Preset.MERGED}) {
                measure(preset, vcpus, mib);
            }
        }
    }

    private static void measure(Preset preset, int vcpus, long mib) throws InterruptedException {
        VmmOptions options = new VmmOptions(BuiltInProfiles.byName("server-256g"), preset);
        try (Vmm vmm = Vmm.start(options).orThrow()) {
            TrustDomain td =
                    vmm.create(
                                    TrustDomainSpec.of(
                                            "td", mib << 20, vcpus, Workload.parse("touch-all")))
                            .orThrow();
            long start = System.nanoTime();
            vmm.start("td").orThrow();
            while (td.snapshot().progress().finishedVcpus() < vcpus) {
                Thread.sleep(1);
            }
            long nanos = System.nanoTime() - start;
            long faults = td.snapshot().progress().privateFaults();
            start = System.nanoTime();
            vmm.stop("td").orThrow();
            vmm.delete("td").orThrow();
            long teardown = System.nanoTime() - start;
            System.out.printf(
                    "%-8s %d vCPU %6d MiB: %9d faults, %6.1f ns each with ACCEPT and touch,"
                            + " %5.2f M/s; teardown %6.1f ns a page%n",
                    preset.id(),
                    vcpus,
                    mib,
                    faults,
                    (double) nanos / faults,
                    faults * 1e3 / nanos,
                    (double) teardown / faults);
        }
    }
}
