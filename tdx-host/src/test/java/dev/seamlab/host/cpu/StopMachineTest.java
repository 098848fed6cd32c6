// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.Hosts;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.sched.Waits;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class StopMachineTest {
    private final StopMachine world =
            new StopMachine(new HostCpus(new Machine(Hosts.twoPackages())));

    @Test
    void whileStopped_workThatComesLater_waitsUntilItIsOver() throws InterruptedException {
        AtomicBoolean inside = new AtomicBoolean();
        Thread[] worker = new Thread[1];
        boolean sawWork =
                world.whileStopped(() -> {
                    worker[0] =
                            Waits.start(
                                    "worker",
                                    () -> {
                                        world.enter();
                                        inside.set(true);
                                        world.leave();
                                    });
                    Waits.until(world::isAwaited);
                    return inside.get();
                });
        worker[0].join();
        assertThat(sawWork).isFalse();
        assertThat(inside).isTrue();
    }

    @Test
    void whileStopped_waitsForWorkUnderWay() throws InterruptedException {
        AtomicBoolean done = new AtomicBoolean();
        world.enter();
        Thread stopper =
                Waits.start("stopper", () -> assertThat(world.whileStopped(done::get)).isTrue());
        Waits.until(world::isWanted);
        done.set(true);
        world.leave();
        stopper.join();
        assertThat(world.isWanted()).isFalse();
    }

    @Test
    void whileStopped_afterAnotherStop_firstLetsInWhoWaitedForThatOne()
            throws InterruptedException {
        for (int round = 0; round < 200; round++) {
            AtomicBoolean inside = new AtomicBoolean();
            Thread worker =
                    world.whileStopped(() -> {
                        Thread late =
                                Waits.start(
                                        "worker",
                                        () -> {
                                            world.enter();
                                            inside.set(true);
                                            world.leave();
                                        });
                        Waits.until(world::isAwaited);
                        return late;
                    });
            assertThat(world.whileStopped(inside::get)).isTrue();
            worker.join();
        }
    }
}
