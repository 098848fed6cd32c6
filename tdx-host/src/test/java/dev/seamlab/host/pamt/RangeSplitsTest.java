// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.Hosts;
import dev.seamlab.host.Preset;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.KernelLog;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.tdh.PairListener;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.TdxModule;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The counts and pages that DEMOTE and PROMOTE move, with the two leaves answered by the test; the
 * leaves themselves are exercised above, with TDs.
 */
class RangeSplitsTest {
    private static final long PFN = 64 * 512;
    private static final long TABLE = 70 * 512;

    private final List<String> told = new ArrayList<>();
    private long answer = Status.SUCCESS;
    private TdxHost host;
    private HostCpu cpu;
    private final long[] given = new long[3];
    private boolean lockWasFree;

    private void start(Preset preset) throws Exception {
        Machine machine = new Machine(Hosts.small());
        TdxModule module = new TdxModule(machine);
        machine.load((logical, regs) -> call(module, logical, regs));
        host = TdxHost.bringUp(machine, preset.policy(), KernelLog.SILENT);
        cpu = host.cpus().claim(0);
        host.tdh()
                .phymem()
                .setPairListener(
                        new PairListener() {
                            @Override
                            public void added(HostCpu on, long pfn) {
                                told.add("added " + pfn);
                            }

                            @Override
                            public void removed(HostCpu on, long pfn) {
                                told.add("removed " + pfn);
                            }
                        });
    }

    @AfterEach
    void release() {
        host.cpus().release(cpu);
    }

    private long call(TdxModule module, LogicalCpu logical, Registers regs) {
        int leaf = (int) regs.rax() & 0xFFFF;
        if (leaf != Leaf.MEM_PAGE_DEMOTE.number() && leaf != Leaf.MEM_PAGE_PROMOTE.number()) {
            return module.call(logical, regs);
        }
        // As R-37 asks: nobody else may have the PAMT lock now, nor get it.
        lockWasFree = host.backing().lock().tryLock();
        if (lockWasFree) {
            host.backing().lock().unlock();
        }
        if (leaf == Leaf.MEM_PAGE_DEMOTE.number()) {
            given[0] = regs.r8();
            given[1] = regs.r12();
            given[2] = regs.r13();
        } else if (answer == Status.SUCCESS) {
            regs.r12(given[1]).r13(given[2]);
        }
        regs.rax(answer);
        return answer;
    }

    @ParameterizedTest
    @EnumSource(Preset.class)
    void demoteAndPromote_moveAllCountsAtOnceUnderThePamtLock(Preset preset) throws Exception {
        start(preset);
        RangeSplits splits = host.splits();
        boolean dynamic = host.isDynamicPamt();
        assertThat(splits.needsPair()).isEqualTo(dynamic);
        long[] pair = new long[2];
        if (dynamic) {
            assertThat(host.sleepingPairs(0).take(pair)).isTrue();
        }
        assertThat(splits.demote(cpu, 0, 0, TABLE, PFN, pair)).isEqualTo(Status.SUCCESS);
        assertThat(lockWasFree).isEqualTo(!dynamic);
        assertThat(given[0]).isEqualTo(Addresses.hpa(TABLE));
        assertThat(given[1]).isEqualTo(Addresses.hpa(pair[0]));
        assertThat(given[2]).isEqualTo(Addresses.hpa(pair[1]));
        host.refcounts().ifPresent(c -> assertThat(c.read(PFN)).isEqualTo(512));
        assertThat(told).isEqualTo(dynamic ? List.of("added " + PFN) : List.of());
        assertThat(splits.promote(cpu, 0, 0, PFN)).isEqualTo(Status.SUCCESS);
        assertThat(lockWasFree).isEqualTo(!dynamic);
        host.refcounts().ifPresent(c -> assertThat(c.read(PFN)).isZero());
        assertThat(host.pages().usedPages(PageUse.PAMT_PAIR)).isZero();
        assertThat(told).isEqualTo(dynamic ? List.of("added " + PFN, "removed " + PFN) : List.of());
        assertThat(host.backing().lock().tryLock()).as("the lock came back").isTrue();
        host.backing().lock().unlock();
    }

    @ParameterizedTest
    @EnumSource(Preset.class)
    void refused_neitherCountsNorPairsMove(Preset preset) throws Exception {
        start(preset);
        answer = StatusCode.OPERAND_BUSY.with(Operand.R12);
        long[] pair = new long[2];
        if (host.isDynamicPamt()) {
            assertThat(host.sleepingPairs(0).take(pair)).isTrue();
        }
        long used = host.pages().usedPages(PageUse.PAMT_PAIR);
        assertThat(host.splits().demote(cpu, 0, 0, TABLE, PFN, pair)).isEqualTo(answer);
        host.refcounts().ifPresent(c -> assertThat(c.read(PFN)).isZero());
        host.refcounts().ifPresent(c -> c.set(PFN, 512));
        assertThat(host.splits().promote(cpu, 0, 0, PFN)).isEqualTo(answer);
        host.refcounts().ifPresent(c -> assertThat(c.read(PFN)).isEqualTo(512));
        assertThat(told).isEmpty();
        assertThat(host.pages().usedPages(PageUse.PAMT_PAIR)).isEqualTo(used);
        assertThat(host.backing().lock().tryLock()).as("the lock came back").isTrue();
        host.backing().lock().unlock();
    }
}
