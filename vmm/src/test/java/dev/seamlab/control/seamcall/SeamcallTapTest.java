// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.profile.BuiltInProfiles;
import dev.seamlab.seam.abi.Leaf;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class SeamcallTapTest {
    private static final int CALLS = 10_000;

    private final Machine machine = new Machine(BuiltInProfiles.byName("laptop-16g"));
    private final SeamcallTap tap = new SeamcallTap(machine);
    private final Registers regs = new Registers();

    SeamcallTapTest() {
        machine.load((cpu, registers) -> registers.rax(7).rax());
    }

    private void call() {
        regs.rax(Leaf.SYS_RD.rax(0));
        long status = machine.seamcall(machine.cpus().getFirst(), regs);
        assertThat(status).isEqualTo(7);
    }

    @Test
    void theWay_fromCpuToModule_isFreeUnlessSomebodyWatchesOrMeasures() {
        assertThat(tap.isPlaced()).isFalse();
        SeamcallSink sink = (cpu, in, out, began, ended) -> {};
        tap.add(sink);
        assertThat(tap.isPlaced()).isTrue();
        tap.remove(sink);
        assertThat(tap.isPlaced()).isFalse();
        tap.measure(new LeafTimes(machine.cpus().size()));
        assertThat(tap.isPlaced()).isTrue();
        tap.add(sink);
        tap.remove(sink);
        assertThat(tap.isPlaced()).as("still measured").isTrue();
    }

    @Test
    void calls_thatAreMeasuredAndWatched_areToldToBoth() {
        LeafTimes times = new LeafTimes(machine.cpus().size());
        List<Long> seen = new ArrayList<>();
        tap.measure(times);
        call();
        tap.add((cpu, in, out, began, ended) -> {
            assertThat(ended).isGreaterThanOrEqualTo(began);
            seen.add(in.rax());
            seen.add(out.rax());
        });
        call();
        assertThat(seen).containsExactly(Leaf.SYS_RD.rax(0), 7L);
        assertThat(LongStream.of(times.buckets(Leaf.SYS_RD)).sum()).isEqualTo(2);
    }

    @Test
    void calls_thatAreMeasured_allocateNothing() {
        tap.measure(new LeafTimes(machine.cpus().size()));
        var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
        long allocated = Long.MAX_VALUE;
        for (int round = 0; round < 3; round++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < CALLS; i++) {
                regs.rax(Leaf.SYS_RD.rax(0));
                long status = machine.seamcall(machine.cpus().getFirst(), regs);
                assert status == 7;
            }
            allocated = Math.min(allocated, threads.getCurrentThreadAllocatedBytes() - before);
        }
        assertThat(allocated).as("bytes of %d calls", CALLS).isLessThan(CALLS);
    }
}
