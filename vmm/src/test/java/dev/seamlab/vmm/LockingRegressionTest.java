// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import static dev.seamlab.vmm.Lab.awaitFinished;
import static dev.seamlab.vmm.Lab.boot;
import static dev.seamlab.vmm.Lab.spec;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.seamlab.host.Preset;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.fault.SeamcallFaults;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.PamtBacking;
import dev.seamlab.kvm.KvmStats;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.kvm.Prefaults;
import dev.seamlab.kvm.RawPages;
import dev.seamlab.kvm.RawSplits;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.Waits;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/** what goes wrong without the lock, and that nothing does with it. */
class LockingRegressionTest {
    private static final long AT = 16L << 20;

    /** Attempts to make two SEAMCALLs meet; a few thousand do on any machine with two CPUs. */
    private static final int ATTEMPTS = 20_000_000;

    @RegisterExtension final Lab lab = new Lab();

    @Test
    void r35_addsWithPairPagesInEachOthersTarget_areBusyWithoutTheLock() throws Exception {
        TdxHost host = lab.host(Preset.V4).host();
        Crossing crossing = new Crossing(host);
        AtomicLong busy = new AtomicLong();
        AtomicBoolean stop = new AtomicBoolean();
        both(
                host,
                (cpu, mine) -> {
                    for (int i = 0; i < ATTEMPTS && !stop.get(); i++) {
                        long status = crossing.add(host, cpu, mine);
                        if (status == Status.SUCCESS) {
                            crossing.remove(host, cpu, mine);
                        } else {
                            assertThat(StatusCode.OPERAND_BUSY.matches(status)).isTrue();
                            busy.incrementAndGet();
                            stop.set(true);
                        }
                    }
                    stop.set(true);
                });
        assertThat(busy.get()).isPositive();
        crossing.free(host);
    }

    @ParameterizedTest
    @EnumSource(value = Preset.class, mode = Mode.EXCLUDE, names = "STATIC")
    void r35_addsWithPairPagesInEachOthersTarget_neverMeetUnderTheLock(Preset preset)
            throws Exception {
        TdxHost host = lab.host(preset).host();
        Crossing crossing = new Crossing(host);
        Lock lock = host.backing().lock();
        both(
                host,
                (cpu, mine) -> {
                    for (int i = 0; i < 20_000; i++) {
                        lock.lock();
                        try {
                            assertThat(crossing.add(host, cpu, mine)).isEqualTo(Status.SUCCESS);
                            crossing.remove(host, cpu, mine);
                        } finally {
                            lock.unlock();
                        }
                    }
                });
        crossing.free(host);
    }

    @Test
    void r36_lockPerRange_wouldNestInBothOrders_andTheLockOrderRefusesIt() {
        Lock one = new Lock(LockRank.PAMT);
        Lock other = new Lock(LockRank.PAMT);
        one.lock();
        try {
            assertThatThrownBy(other::lock)
                    .isInstanceOf(AssertionError.class)
                    .hasMessage("lock order: PAMT taken after PAMT");
        } finally {
            one.unlock();
        }
    }

    @Test
    void r37_demoteBesidePamtAdd_isBusyWithoutTheLock() throws Exception {
        Vmm vmm = lab.host(Preset.V4);
        Demoting demoting = new Demoting(vmm);
        long met = demoting.run(false, ATTEMPTS);
        assertThat(met).as("DEMOTE or PAMT.ADD answered BUSY").isPositive();
    }

    @ParameterizedTest
    @EnumSource(value = Preset.class, mode = Mode.EXCLUDE, names = "STATIC")
    void r37_demoteBesidePamtAdd_neverMeetsUnderTheLock(Preset preset) throws Exception {
        Vmm vmm = lab.host(preset);
        Demoting demoting = new Demoting(vmm);
        assertThat(demoting.run(true, 5_000)).isZero();
    }

    @Test
    void r38_neighbourOfABackedRange_doesNotWaitWithTheFastPath() throws Exception {
        Thread neighbour = getUnderHeldLock(Preset.V6, thread -> !thread.isAlive());
        assertThat(neighbour.isAlive()).isFalse();
    }

    @Test
    void r38_neighbourOfABackedRange_waitsForTheNoisyOneWithOneLockForAll() throws Exception {
        getUnderHeldLock(Preset.MERGED, thread -> thread.getState() == Thread.State.TIMED_WAITING);
    }

    /**
     * The noisy neighbour itself: one TD converts a page of a range of its own to and fro, so that
     * each round asks the module for a pair and gives one back. Another one faults pages in ranges
     * that are backed, in the middle of such a round.
     */
    @ParameterizedTest
    @EnumSource(value = Preset.class, mode = Mode.EXCLUDE, names = "STATIC")
    void r38_tdBesideOneThatConvertsForEver_waitsOnlyWhereThereIsOneLockForAll(Preset preset)
            throws Exception {
        Vmm vmm = lab.host(preset);
        TdxHost host = vmm.host();
        TrustDomain noisy = boot(vmm, spec("noisy", 1, "idle"));
        TrustDomain quiet = boot(vmm, spec("quiet", 1, "idle"));
        awaitFinished(noisy);
        awaitFinished(quiet);
        KvmTdx victim = ((Td) quiet).vm();
        for (long gpa = AT; gpa < AT + (1 << 20); gpa += 4096) {
            Prefaults.map(victim, gpa, PageInfo.LEVEL_4K);
        }
        // A page that lost its mapping among others that have theirs, so its range is backed.
        long page = AT + (1 << 19);
        assertThat(victim.setMemoryAttributes(page, 4096, false)).isEqualTo(Errno.OK);
        assertThat(victim.setMemoryAttributes(page, 4096, true)).isEqualTo(Errno.OK);
        KvmTdx loud = ((Td) noisy).vm();
        Thread[] fault = new Thread[1];
        boolean[] waited = new boolean[1];
        try (SeamcallFaults seamcalls = SeamcallFaults.on(host.machine())) {
            seamcalls.replace(
                    Leaf.PHYMEM_PAMT_ADD,
                    1,
                    1,
                    (module, cpu, regs) -> {
                        Thread thread =
                                Waits.start(
                                        "fault",
                                        () -> Prefaults.map(victim, page, PageInfo.LEVEL_4K));
                        Waits.spinUntil(() ->
                                !thread.isAlive()
                                        || thread.getState() == Thread.State.TIMED_WAITING);
                        fault[0] = thread;
                        waited[0] = thread.isAlive();
                        return module.call(cpu, regs);
                    });
            for (long gpa = AT; fault[0] == null; gpa += 4096) {
                Prefaults.map(loud, gpa, PageInfo.LEVEL_4K);
            }
            fault[0].join();
        }
        boolean oneLockForAll = preset == Preset.MERGED || preset == Preset.V4_BASE;
        assertThat(waited[0]).isEqualTo(oneLockForAll);
    }

    @Test
    void r39_augAfterAlreadyPresent_findsThePairGone() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = boot(vmm, spec("td", 1, "idle"));
        awaitFinished(td);
        KvmTdx vm = ((Td) td).vm();
        Prefaults.map(vm, AT, PageInfo.LEVEL_4K); // so that the tables are there
        TdxHost host = vmm.host();
        Crossing crossing = new Crossing(host);
        HostCpu cpu = host.cpus().claimAny();
        try {
            // The lazy scheme: whoever finds the pair there already takes it for granted.
            assertThat(crossing.add(host, cpu, 0)).isEqualTo(Status.SUCCESS);
            long second = crossing.add(host, cpu, 0);
            assertThat(StatusCode.HPA_RANGE_NOT_FREE.matches(second)).isTrue();
            crossing.remove(host, cpu, 0);
            long aug = RawPages.aug(vm, cpu, AT + 4096, crossing.target(0));
            assertThat(aug).isEqualTo(StatusCode.MISSING_PAMT_PAGE_PAIR.with(Operand.R8));
        } finally {
            host.cpus().release(cpu);
        }
        crossing.free(host);
    }

    @Test
    void r40_faultThatIsToBeRetried_isRepeatedWithoutEnteringTheGuest() {
        Vmm vmm = lab.host(Preset.V4);
        String program = "accept 16m+4m 4k; share 16m+1m; private 16m+1m; accept 16m+1m 4k; halt";
        TrustDomain td = boot(vmm, spec("td", 1, program));
        awaitFinished(td);
        KvmStats stats = td.stats();
        // Each violation that was served left the guest once. An interrupt may come in between.
        assertThat(stats.get(Counter.TD_EXITS))
                .isLessThanOrEqualTo(
                        stats.get(Counter.PRIVATE_FAULTS)
                                + stats.get(Counter.SHARED_FAULTS)
                                + stats.get(Counter.TDVMCALLS)
                                + 2 * stats.get(Counter.INTERRUPT_EXITS));
    }

    /** Another thread gets a page of a backed range while this one holds the PAMT lock. */
    private Thread getUnderHeldLock(Preset preset, java.util.function.Predicate<Thread> wanted)
            throws Exception {
        TdxHost host = lab.host(preset).host();
        PamtBacking backing = host.backing();
        long first = range(host);
        HostCpu cpu = host.cpus().claimAny();
        assertThat(backing.get(cpu, first, host.sleepingPairs(0))).isEqualTo(Errno.OK);
        host.cpus().release(cpu);
        Thread neighbour;
        backing.lock().lock();
        try {
            neighbour =
                    Waits.start(
                            "neighbour",
                            () -> {
                                HostCpu own = host.cpus().claimAny();
                                backing.get(own, first + 1, host.sleepingPairs(0));
                                backing.put(own, first + 1);
                                host.cpus().release(own);
                            });
            BooleanSupplier condition = () -> wanted.test(neighbour);
            Waits.spinUntil(condition);
        } finally {
            backing.lock().unlock();
        }
        neighbour.join();
        cpu = host.cpus().claimAny();
        backing.put(cpu, first);
        host.cpus().release(cpu);
        host.pages().freeRange(first, 512, PageUse.HOST);
        return neighbour;
    }

    private static long range(TdxHost host) {
        return host.pages().allocateRange(0, 512, 512, PageUse.HOST);
    }

    private interface Side {
        void run(HostCpu cpu, int mine);
    }

    /** Runs the two sides of a race to their end. */
    private static void both(TdxHost host, Side side) throws InterruptedException {
        AtomicLong failures = new AtomicLong();
        Thread[] threads = new Thread[2];
        for (int i = 0; i < 2; i++) {
            int mine = i;
            threads[i] =
                    Waits.start(
                            "side " + i,
                            () -> {
                                HostCpu cpu = host.cpus().claimAny();
                                try {
                                    side.run(cpu, mine);
                                } catch (AssertionError e) {
                                    failures.incrementAndGet();
                                } finally {
                                    host.cpus().release(cpu);
                                }
                            });
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(failures.get()).as("sides that failed").isZero();
    }

    /** Two ranges, each with the pages that become the pair of the other. */
    private static final class Crossing {
        private final long[] ranges;

        Crossing(TdxHost host) {
            ranges = new long[] {range(host), range(host)};
        }

        long target(int mine) {
            return ranges[mine];
        }

        long add(TdxHost host, HostCpu cpu, int mine) {
            long other = ranges[1 - mine];
            return host.tdh().phymem().pamtAdd(cpu, ranges[mine], other + 1, other + 2);
        }

        /** Also a try-lock: the other side's ADD may be at its range. */
        void remove(TdxHost host, HostCpu cpu, int mine) {
            long status = host.tdh().phymem().pamtRemove(cpu, ranges[mine]);
            while (StatusCode.OPERAND_BUSY.matches(status)) {
                status = host.tdh().phymem().pamtRemove(cpu, ranges[mine]);
            }
            assertThat(status).isEqualTo(Status.SUCCESS);
        }

        void free(TdxHost host) {
            for (long range : ranges) {
                host.pages().freeRange(range, 512, PageUse.HOST);
            }
        }
    }

    /** A TD with one 2M page, which is split with a pair that lies in another one's range. */
    private static final class Demoting {
        private final TdxHost host;
        private final KvmTdx vm;

        Demoting(Vmm vmm) {
            this.host = vmm.host();
            TrustDomain td = boot(vmm, spec("td", 1, "idle").withLargePages());
            awaitFinished(td);
            this.vm = ((Td) td).vm();
            Prefaults.map(vm, AT, PageInfo.LEVEL_2M);
            assertThat(Addresses.isAligned(AT, Addresses.RANGE_SIZE)).isTrue();
        }

        /** Returns how many BUSY answers there were; without the lock it ends with the first. */
        long run(boolean locked, int cycles) throws InterruptedException {
            long range = range(host);
            long[] pairOfDemote = {range + 1, range + 2};
            long other = range(host);
            AtomicLong busy = new AtomicLong();
            AtomicBoolean stop = new AtomicBoolean();
            both(
                    host,
                    (cpu, mine) -> {
                        try {
                            if (mine == 0) {
                                demote(cpu, pairOfDemote, locked, cycles, busy, stop);
                            } else {
                                add(cpu, range, other, busy, stop);
                            }
                        } finally {
                            stop.set(true);
                        }
                    });
            host.pages().freeRange(range, 512, PageUse.HOST);
            host.pages().freeRange(other, 512, PageUse.HOST);
            return busy.get();
        }

        private void demote(
                HostCpu cpu,
                long[] pair,
                boolean locked,
                int cycles,
                AtomicLong busy,
                AtomicBoolean stop) {
            RawSplits splits = new RawSplits(vm, cpu, AT);
            for (int i = 0; i < cycles && !stop.get(); i++) {
                long status = splits.cycle(pair, locked);
                if (status != Status.SUCCESS) {
                    assertThat(Status.show(status)).startsWith("OPERAND_BUSY|R1");
                    busy.incrementAndGet();
                    break;
                }
            }
            splits.close();
        }

        /** As get and put of another TD do: under the PAMT lock, always. */
        private void add(HostCpu cpu, long range, long other, AtomicLong busy, AtomicBoolean stop) {
            Lock lock = host.backing().lock();
            while (!stop.get()) {
                lock.lock();
                try {
                    long status = host.tdh().phymem().pamtAdd(cpu, range, other + 1, other + 2);
                    if (StatusCode.OPERAND_BUSY.matches(status)) {
                        busy.incrementAndGet();
                        return;
                    }
                    assertThat(status).isEqualTo(Status.SUCCESS);
                    long removed = host.tdh().phymem().pamtRemove(cpu, range);
                    while (StatusCode.OPERAND_BUSY.matches(removed)) {
                        busy.incrementAndGet();
                        removed = host.tdh().phymem().pamtRemove(cpu, range);
                    }
                    assertThat(removed).isEqualTo(Status.SUCCESS);
                } finally {
                    lock.unlock();
                }
            }
        }
    }
}
