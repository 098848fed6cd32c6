// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.guest.Workload;
import dev.seamlab.host.fault.SeamcallFaults;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.OrdinaryVms;
import dev.seamlab.machine.Addresses;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Random;

/**
 * A host whose tenants come and go: TDs and ordinary VMs of 1 to 96 GiB, a few MiB of it in use,
 * shut down in no order. Whenever nobody moves, Dynamic PAMT is exactly what the refcounts say.
 */
final class MixedCycles {
    private static final int MOST_TDS = 5;
    private static final int MOST_ORDINARY = 3;
    private static final int LARGEST_GIB = 96;

    private final Vmm vmm;
    private final Random random;
    private final Deque<String> tds = new ArrayDeque<>();
    private final OrdinaryVms ordinary;
    private int born;

    MixedCycles(Vmm vmm, int seed) {
        this.vmm = vmm;
        this.random = new Random(20_26 + seed);
        this.ordinary = new OrdinaryVms(vmm.host());
    }

    /** 8 KiB for each range that somebody counts a page in, from the counts themselves. */
    static long backedBytes(Vmm vmm) {
        long[] ranges = new long[1];
        vmm.host()
                .refcounts()
                .ifPresent(counts ->
                        counts.forEachTouched((pfn, count) -> ranges[0] += count > 0 ? 1 : 0));
        return 8192 * ranges[0];
    }

    void run(int cycles) {
        try (SeamcallFaults seamcalls = SeamcallFaults.on(vmm.host().machine())) {
            for (int cycle = 0; cycle < cycles; cycle++) {
                if (random.nextInt(3) == 0) {
                    ordinaryStep(seamcalls);
                } else {
                    tdStep();
                }
                assertThat(vmm.memory().pamt().totalBytes())
                        .as("cycle " + cycle)
                        .isEqualTo(backedBytes(vmm));
                assertThat(4096 * vmm.host().pages().usedPages(PageUse.PAMT_PAIR))
                        .as("cycle " + cycle)
                        .isEqualTo(backedBytes(vmm));
            }
            while (!tds.isEmpty()) {
                retireTd();
            }
            assertThat(backedBytes(vmm)).as("ordinary VMs alone").isZero();
            ordinary.close();
        }
    }

    private void tdStep() {
        if (tds.size() == MOST_TDS || (tds.size() > 1 && random.nextInt(3) == 0)) {
            retireTd();
            return;
        }
        String id = "td" + born++;
        long mib = 1L + random.nextInt(16);
        String program = "@0 { use 64m+" + mib + "m; share 64m+64k; private 64m+64k }; halt";
        TrustDomainSpec spec =
                TrustDomainSpec.of(id, size(), 1 + random.nextInt(2), Workload.parse(program));
        TrustDomain td = Lab.boot(vmm, random.nextInt(3) == 0 ? spec.withLargePages() : spec);
        Lab.awaitFinished(td);
        tds.add(id);
    }

    /** Not the oldest first: shutdowns are staggered. */
    private void retireTd() {
        String id = random.nextBoolean() ? tds.removeFirst() : tds.removeLast();
        vmm.stop(id).orThrow();
        vmm.delete(id).orThrow();
    }

    /** Nobody else moves meanwhile, so what changes is what the ordinary VM did. */
    private void ordinaryStep(SeamcallFaults seamcalls) {
        long calls = seamcalls.calls();
        long pairs = vmm.host().pages().usedPages(PageUse.PAMT_PAIR);
        long pools = vmm.host().pages().usedPages(PageUse.POOL);
        PamtShare pamt = vmm.memory().pamt();
        if (ordinary.alive() == MOST_ORDINARY || (ordinary.alive() > 0 && random.nextInt(3) == 0)) {
            ordinary.destroyOne(random);
        } else {
            ordinary.createOne(size(), 1 + random.nextInt(8), random);
        }
        assertThat(seamcalls.calls()).as("SEAMCALLs").isEqualTo(calls);
        assertThat(vmm.host().pages().usedPages(PageUse.PAMT_PAIR)).as("pairs").isEqualTo(pairs);
        assertThat(vmm.host().pages().usedPages(PageUse.POOL)).as("pools").isEqualTo(pools);
        assertThat(vmm.memory().pamt()).as("Dynamic PAMT").isEqualTo(pamt);
    }

    private long size() {
        return (1L + random.nextInt(LARGEST_GIB)) * Addresses.GIB;
    }
}
