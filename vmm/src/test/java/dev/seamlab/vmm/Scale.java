// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.guest.Workload;
import dev.seamlab.host.Preset;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.profile.BuiltInProfiles;
import dev.seamlab.machine.sched.Waits;
import java.lang.management.ManagementFactory;
import java.time.Duration;

/**
 * Measures what a TD whose memory is fully accepted at 4K costs the emulator. Not a test: run it by
 * hand, without assertions. Arguments: GiB, preset, profile. For 1 TiB: {@code -Xmx13g
 * -XX:+UseParallelGC dev.seamlab.vmm.Scale 1024 v4 server-2t-2s}.
 */
final class Scale {
    private static final int COLLECTIONS = 3;

    private Scale() {}

    /**
     * Cost of one TD.
     *
     * @param pages private 4K pages that were mapped
     * @param bytes heap that the emulator keeps for them
     * @param before heap that was in use before the TD
     */
    record Cost(long pages, long bytes, long before) {
        double perPage() {
            return (double) bytes / pages;
        }

        /**
         * Bytes a page that are still in use, of what came after {@code before}. Others use the
         * heap too and collections are lazy, so it is what the best of some finds.
         */
        double leftPerPage() {
            long least = heap();
            for (int i = 0; i < COLLECTIONS && least > before; i++) {
                least = Math.min(least, heap());
            }
            return (double) (least - before) / pages;
        }
    }

    public static void main(String[] args) {
        long gib = args.length > 0 ? Long.parseLong(args[0]) : 8;
        Preset preset = Preset.byName(args.length > 1 ? args[1] : "v4");
        String profile = args.length > 2 ? args[2] : "server-2t-2s";
        VmmOptions options = new VmmOptions(BuiltInProfiles.byName(profile), preset);
        try (Vmm vmm = Vmm.start(options).orThrow()) {
            long start = System.nanoTime();
            Cost cost = accepted(vmm, gib);
            long accepted = System.nanoTime();
            System.out.printf(
                    "%d GiB under %s: %,d pages, %,d bytes of heap, %.2f bytes a page; %.1f s, of"
                            + " which creation and two collections%n",
                    gib,
                    preset.id(),
                    cost.pages(),
                    cost.bytes(),
                    cost.perPage(),
                    (accepted - start) / 1e9);
            System.out.println(
                    "page pairs: "
                            + vmm.memory().pamt().totalBytes()
                            + " bytes for "
                            + vmm.memory().backedRanges()
                            + " ranges");
            long before = System.nanoTime();
            vmm.stop("large").orThrow();
            vmm.delete("large").orThrow();
            System.out.printf(
                    "gone after %.1f s; page pairs left: %d bytes; heap %.2f bytes a page%n",
                    (System.nanoTime() - before) / 1e9,
                    vmm.memory().pamt().totalBytes(),
                    cost.leftPerPage());
            System.out.println("audit findings: " + vmm.audit().size());
        }
    }

    /** Creates a TD, has it accept all of its memory, and measures what that cost. */
    static Cost accepted(Vmm vmm, long gib) {
        long before = heap();
        Workload eager = Workload.parse("boot-eager percent=0");
        TrustDomain td =
                vmm.create(TrustDomainSpec.of("large", gib << Addresses.GIB_SHIFT, 1, eager))
                        .orThrow();
        vmm.start("large").orThrow();
        boolean done =
                Waits.until(
                        () -> td.snapshot().progress().finishedVcpus() == 1, Duration.ofHours(1));
        if (!done) {
            throw new AssertionError("not done within an hour: " + td.snapshot());
        }
        return new Cost(td.memory().privatePages(), heap() - before, before);
    }

    private static long heap() {
        System.gc();
        return ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
    }
}
