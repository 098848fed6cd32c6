// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static dev.seamlab.kvm.KvmRig.ok;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.sched.Waits;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.StatusCode;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** vCPUs on logical CPUs: moving, flushing, sharing, and stopping the world. */
@Timeout(120)
class SchedulingTest {
    private final KvmRig rig = new KvmRig();

    @AfterEach
    void close() {
        rig.close();
    }

    /** Runs every vCPU on a thread of its own until each has done so many steps. */
    private void runAll(KvmTdx vm, int steps, Runnable meanwhile) throws InterruptedException {
        KvmVcpu[] vcpus = vm.vcpus();
        AtomicIntegerArray done = new AtomicIntegerArray(vcpus.length);
        CountDownLatch left = new CountDownLatch(vcpus.length);
        List<Thread> threads = new ArrayList<>();
        for (KvmVcpu vcpu : vcpus) {
            vcpu.bindGuest(cpu -> {
                if (done.incrementAndGet(vcpu.index()) == steps) {
                    left.countDown();
                }
                Thread.onSpinWait();
            });
            threads.add(
                    Waits.start(
                            "vcpu" + vcpu.index(),
                            () -> {
                                KvmExit exit = vcpu.run();
                                assertThat(exit).isInstanceOf(KvmExit.Interrupted.class);
                            }));
        }
        meanwhile.run();
        boolean all = left.await(60, TimeUnit.SECONDS);
        for (KvmVcpu vcpu : vcpus) {
            vcpu.requestExit();
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(all).as("every vCPU made progress").isTrue();
    }

    @Test
    void vcpus_manyMoreThanCpus_allMakeProgress() throws Exception {
        KvmTdx vm = rig.runnable(24);
        runAll(vm, 2_000, () -> {});
        assertThat(vm.isDead()).isFalse();
        // How many move is up to the scheduling of threads; each one that did was flushed first.
        assertThat(rig.faults.calls(Leaf.VP_FLUSH))
                .isGreaterThanOrEqualTo(vm.stats().get(Counter.MIGRATIONS));
    }

    @Test
    void vcpus_asManyAsTheModuleAllows_halt_andCostNoCpu() {
        int many = rig.host.info().maxVcpusPerTd();
        assertThat(many).isGreaterThan(500);
        KvmTdx vm = rig.vm(many);
        ok(vm.addMemslot(0, KvmRig.MEMORY));
        ok(vm.initVm(KvmRig.CONFIG));
        for (int i = 0; i < many; i++) {
            ok(KvmRig.vcpu(vm).init(0));
        }
        ok(vm.finalizeVm());
        List<Thread> threads = new ArrayList<>();
        for (KvmVcpu vcpu : vm.vcpus()) {
            vcpu.bindGuest(new KvmRig.Call(12, 0));
            threads.add(Waits.start("vcpu", vcpu::run));
        }
        Waits.until(() -> IntStream.range(0, many).allMatch(i -> vm.vcpus()[i].isHalted()));
        // All CPUs are free for others meanwhile.
        for (HostCpu cpu : rig.host.cpus().all()) {
            HostCpu mine = rig.host.cpus().tryClaim(cpu.index());
            assertThat(mine).isNotNull();
            rig.host.cpus().release(mine);
        }
        for (KvmVcpu vcpu : vm.vcpus()) {
            vcpu.requestExit();
        }
        threads.forEach(SchedulingTest::join);
        assertThat(vm.destroy().isClean()).isTrue();
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void vcpu_itsCpuTaken_goesOnElsewhereAfterAFlushThere() throws Exception {
        KvmTdx vm = rig.runnable(1);
        KvmVcpu vcpu = vm.vcpus()[0];
        KvmRig.run(vm, vcpu, "spin 1");
        HostCpu was = vcpu.claimCpu();
        int index = was.index();
        vm.release(was);
        // Somebody sits on that CPU and only looks up when interrupted.
        CountDownLatch seated = new CountDownLatch(1);
        CountDownLatch leave = new CountDownLatch(1);
        AtomicReference<Throwable> failure = new AtomicReference<>();
        Thread sitter =
                Thread.ofPlatform()
                        .uncaughtExceptionHandler((thread, e) -> failure.set(e))
                        .start(() -> {
                            HostCpu cpu = rig.host.cpus().claim(index);
                            seated.countDown();
                            while (leave.getCount() > 0) {
                                if (cpu.logical().interruptPending()) {
                                    cpu.logical().acknowledgeInterrupt();
                                    cpu.serveCalls();
                                }
                                Thread.onSpinWait();
                            }
                            rig.host.cpus().release(cpu);
                        });
        seated.await();
        KvmRig.run(vm, vcpu, "spin 1");
        assertThat(vm.stats().get(Counter.MIGRATIONS)).isEqualTo(1);
        assertThat(rig.faults.calls(Leaf.VP_FLUSH)).isEqualTo(1);
        leave.countDown();
        sitter.join();
        assertThat(failure).hasNullValue();
        assertThat(vm.isDead()).isFalse();
    }

    @Test
    void r34_flushThatSucceeds_orFindsNothing_isNoFailure_andAnyOtherIs() {
        KvmTdx vm = rig.runnable(2);
        vm.vcpus()[0].flush();
        assertThat(vm.isDead()).isFalse();
        rig.faults.refuseNext(Leaf.VP_FLUSH, StatusCode.VCPU_NOT_ASSOCIATED.word());
        vm.vcpus()[1].flush();
        assertThat(vm.isDead()).isFalse();

        KvmTdx other = rig.runnable(1);
        rig.faults.refuseNext(Leaf.VP_FLUSH, StatusCode.TD_FATAL.word());
        other.vcpus()[0].flush();
        assertThat(other.isDead()).isTrue();
        // The module still counts the association, so the KeyID cannot be had back.
        assertThat(other.destroy().keyIdLeaked()).isTrue();
    }

    @Test
    void cpuGoesOffline_vcpusOnItAreFlushedThere() {
        KvmTdx vm = rig.runnable(3);
        for (KvmVcpu vcpu : vm.vcpus()) {
            KvmRig.run(vm, vcpu, "spin 1");
        }
        // One CPU of each package stays.
        ok(rig.host.offline(1));
        ok(rig.host.offline(2));
        assertThat(rig.host.offline(0)).as("R-50").isEqualTo(Errno.EBUSY);
        for (KvmVcpu vcpu : vm.vcpus()) {
            KvmRig.run(vm, vcpu, "spin 1");
        }
        assertThat(vm.isDead()).isFalse();
        assertThat(vm.destroy().isClean()).isTrue();
        rig.host.online(1);
        rig.host.online(2);
    }

    // ------------------------------------------------------------------ stop the world

    @Test
    void audit_whileVcpusSpin_findsNothingAndTheyGoOn() throws Exception {
        KvmTdx vm = rig.runnable(8);
        runAll(
                vm,
                20_000,
                () -> {
                    for (int i = 0; i < 20; i++) {
                        assertThat(rig.audit()).isEmpty();
                    }
                });
    }

    @Test
    void stopped_noVcpuExecutes_andNoStepBegins() throws Exception {
        KvmTdx vm = rig.runnable(4);
        KvmTdx waiting = rig.initialised(1);
        AtomicReference<Thread> step = new AtomicReference<>();
        runAll(
                vm,
                2_000,
                () -> {
                    long[] enters = new long[2];
                    rig.host
                            .stopMachine()
                            .whileStopped(() -> {
                                enters[0] = rig.faults.calls();
                                step.set(
                                        Waits.start(
                                                "step",
                                                () ->
                                                        assertThat(waiting.finalizeVm())
                                                                .isEqualTo(Errno.OK)));
                                for (int i = 0; i < 20_000; i++) {
                                    Thread.onSpinWait();
                                }
                                enters[1] = rig.faults.calls();
                                return waiting.isRunnable();
                            });
                    assertThat(enters[1]).isEqualTo(enters[0]);
                });
        step.get().join();
        assertThat(waiting.isRunnable()).isTrue();
    }

    @Test
    void audit_againAndAgainDuringConversionsAndBuilds_neverSeesHalfAStepNorHoldsThemUp()
            throws Exception {
        KvmTdx vm = rig.runnable(1);
        String storm =
                "loop 60 { accept 0x200000+64k 4k; share 0x200000+64k; private 0x200000+64k }";
        Thread guest = Waits.start("guest", () -> KvmRig.run(vm, vm.vcpus()[0], storm));
        AtomicReference<Throwable> failure = new AtomicReference<>();
        Thread builder =
                Thread.ofPlatform()
                        .uncaughtExceptionHandler((thread, e) -> failure.set(e))
                        .start(() -> {
                            for (int i = 0; i < 20; i++) {
                                KvmTdx other = new KvmTdx(rig.host, rig.ledger, 100 + i, 2);
                                rig.vms.add(other);
                                ok(other.addMemslot(0, KvmRig.MEMORY));
                                ok(other.initVm(KvmRig.CONFIG));
                                ok(KvmRig.vcpu(other).init(0));
                                assertThat(other.destroy().isClean()).isTrue();
                            }
                        });
        int audits = 0;
        while (guest.isAlive() || builder.isAlive()) {
            assertThat(rig.audit()).isEmpty();
            audits++;
            Thread.onSpinWait();
        }
        assertThat(failure).hasNullValue();
        assertThat(audits).isPositive();
        assertThat(vm.isDead()).isFalse();
    }
}
