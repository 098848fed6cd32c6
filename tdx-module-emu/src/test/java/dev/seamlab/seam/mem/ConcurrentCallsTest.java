// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mem;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.TestModule;
import dev.seamlab.seam.TestTd;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.Test;

/** Two CPUs work on one TD: they get in each other's way, and nothing else happens. */
class ConcurrentCallsTest {
    private static final int CPUS = 2;
    private static final int ROUNDS = 3000;
    private static final int PAGES = 256;
    private static final long MEMORY = TestModule.BASE + Addresses.RANGE_SIZE;

    private final TestModule module = TestModule.dynamicPamt();
    private final TestTd td = TestTd.runnable(module);
    private final Queue<String> surprises = new ConcurrentLinkedQueue<>();

    @Test
    void augAndRemove_onTwoCpus_onlyBusyStandsInTheWay() throws InterruptedException {
        td.addTables(0);
        long children = module.module().view().childCount(Addresses.pfn(td.tdr()));
        List<Thread> threads = new ArrayList<>();
        for (int cpu = 0; cpu < CPUS; cpu++) {
            int self = cpu;
            threads.add(Thread.ofPlatform().start(() -> work(self)));
        }
        for (Thread thread : threads) {
            thread.join();
        }

        assertThat(surprises).isEmpty();
        assertThat(module.module().view().childCount(Addresses.pfn(td.tdr()))).isEqualTo(children);
        // Needs every lock for itself, so none was left behind.
        td.ok(Leaf.VP_FLUSH, td.tdvpr(), 0, 0);
        td.ok(Leaf.MNG_VPFLUSHDONE, td.tdr(), 0, 0);
    }

    private void work(int cpu) {
        Registers regs = new Registers();
        for (int i = 0; i < ROUNDS && surprises.isEmpty(); i++) {
            long offset = (cpu * PAGES + i % PAGES) * Addresses.PAGE_SIZE;
            call(cpu, regs, Leaf.MEM_PAGE_AUG, offset, td.tdr(), MEMORY + offset);
            call(cpu, regs, Leaf.MEM_RANGE_BLOCK, offset, td.tdr(), 0);
            call(cpu, regs, Leaf.MEM_TRACK, td.tdr(), 0, 0);
            call(cpu, regs, Leaf.MEM_PAGE_REMOVE, offset, td.tdr(), 0);
        }
    }

    private void call(int cpu, Registers regs, Leaf leaf, long rcx, long rdx, long r8) {
        long status;
        do {
            regs.clear().rax(leaf.number()).rcx(rcx).rdx(rdx).r8(r8);
            status = module.call(cpu, regs);
        } while (StatusCode.OPERAND_BUSY.matches(status));
        if (status != Status.SUCCESS) {
            surprises.add(leaf + ": " + Status.show(status));
        }
    }
}
