// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.seamlab.host.Hosts;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.Waits;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class HostCpusTest {
    private final Machine machine = new Machine(Hosts.twoPackages());
    private final HostCpus cpus = new HostCpus(machine);

    @Test
    void all_knowPackageAndNode() {
        assertThat(cpus.all()).hasSize(4);
        assertThat(cpus.all().get(3).packageIndex()).isEqualTo(1);
        assertThat(cpus.all().get(3).node()).isEqualTo(1);
        assertThat(cpus.all().get(1).node()).isZero();
    }

    @Test
    void claim_freeCpu_isHeldUntilReleased() {
        HostCpu cpu = cpus.claim(2);
        assertThat(cpu.index()).isEqualTo(2);
        assertThat(cpus.tryClaim(2)).isNull();
        assertThat(cpu.wanted()).isFalse();
        cpus.release(cpu);
        HostCpu again = cpus.tryClaim(2);
        assertThat(again).isSameAs(cpu);
        cpus.release(again);
    }

    @Test
    void claim_secondCpuOfAThread_isCaught() {
        HostCpu cpu = cpus.claim(0);
        assertThatThrownBy(() -> cpus.claim(1)).isInstanceOf(AssertionError.class);
        cpus.release(cpu);
    }

    @Test
    void claim_underASpinningLock_isCaught() {
        Lock mmu = new Lock(LockRank.MMU);
        mmu.lock();
        assertThatThrownBy(() -> cpus.claim(1))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("MMU");
        mmu.unlock();
    }

    @Test
    void claimAny_cpuGoesOfflineWhileItWaitsInLine_goesElsewhere() throws InterruptedException {
        for (int i = 1; i < 4; i++) {
            machine.cpus().get(i).setOnline(false);
        }
        HostCpu leaving = cpus.claim(0);
        int[] got = {-1};
        Thread waiter =
                Waits.start(
                        "waiter",
                        () -> {
                            HostCpu cpu = cpus.claimAny();
                            got[0] = cpu.index();
                            cpus.release(cpu);
                        });
        Waits.spinUntil(leaving::wanted);
        machine.cpus().get(3).setOnline(true);
        leaving.logical().setOnline(false);
        cpus.release(leaving);
        waiter.join();
        assertThat(got[0]).isEqualTo(3);
        assertThat(cpus.tryClaim(0)).isNull();
    }

    @Test
    void claimOnPackage_takesACpuThere() {
        HostCpu cpu = cpus.claimOnPackage(1);
        assertThat(cpu.packageIndex()).isEqualTo(1);
        cpus.release(cpu);
    }

    @Test
    void claim_offlineCpu_raisesAndClaimAnyAvoidsIt() {
        for (int i = 0; i < 3; i++) {
            machine.cpus().get(i).setOnline(false);
        }
        assertThatThrownBy(() -> cpus.claim(0)).hasMessageContaining("offline");
        assertThatThrownBy(() -> cpus.claimOnPackage(0)).hasMessageContaining("no online CPU");
        HostCpu cpu = cpus.claimAny();
        assertThat(cpu.index()).isEqualTo(3);
        cpus.release(cpu);
        assertThat(cpus.isPackageOnline(0)).isFalse();
    }

    @Test
    void claim_heldByARunningGuest_interruptsItAndGetsTheCpu() throws InterruptedException {
        HostCpu cpu = cpus.claim(0);
        Thread waiter =
                Thread.ofPlatform()
                        .start(() -> {
                            HostCpu mine = cpus.claim(0);
                            cpus.release(mine);
                        });
        // What a guest without exits does: nothing but wait for an interrupt.
        while (!cpu.logical().interruptPending()) {
            Thread.onSpinWait();
        }
        assertThat(cpu.wanted()).isTrue();
        cpu.logical().acknowledgeInterrupt();
        // A holder that goes on all the same is interrupted again.
        while (!cpu.logical().interruptPending()) {
            Thread.onSpinWait();
        }
        cpus.release(cpu);
        waiter.join();
        assertThat(cpu.wanted()).isFalse();
    }

    @Test
    void claim_takesOverAPendingInterrupt_beginsWithoutIt() {
        machine.cpus().get(0).raiseInterrupt();
        HostCpu cpu = cpus.claim(0);
        assertThat(cpu.logical().interruptPending()).isFalse();
        cpus.release(cpu);
    }

    @Test
    void manyThreadsOnOneCpu_excludeEachOtherAndAllGetOn() throws InterruptedException {
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger clashes = new AtomicInteger();
        int[] turns = new int[6];
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < turns.length; t++) {
            int self = t;
            threads.add(
                    Waits.start(
                            "vcpu" + t,
                            () -> {
                                for (int i = 0; i < 50; i++) {
                                    HostCpu cpu = cpus.claim(1);
                                    if (inside.incrementAndGet() != 1) {
                                        clashes.incrementAndGet();
                                    }
                                    turns[self]++;
                                    inside.decrementAndGet();
                                    cpus.release(cpu);
                                }
                            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(clashes).hasValue(0);
        assertThat(turns).containsOnly(50);
    }
}
