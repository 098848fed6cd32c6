// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.Sweeps.Variant;
import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.core.InterruptModel;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Several things go wrong in one life, at random: SEAMCALLs are refused, the one after a refused
 * one among them, allocations fail, long leaves are interrupted, signals come. What user space is
 * told is no longer foretold, but nothing may be lost that nobody knows of. Seeds are printed where
 * it fails.
 */
@Timeout(600)
class FaultStormTest {
    private static final int SEEDS = 6;
    private static final int ALL_SEEDS = 500;
    private static final int CALLS = 1900;
    private static final int ALLOCATIONS = 150;

    private static final List<Long> STATUSES =
            List.of(
                    StatusCode.OPERAND_BUSY.with(Operand.SEPT_TREE),
                    StatusCode.TD_FATAL.word(),
                    StatusCode.OPERAND_INVALID.with(Operand.RCX),
                    StatusCode.RND_NO_ENTROPY.word());

    private static final Set<Integer> TOLD =
            Set.of(Errno.EBUSY, Errno.EAGAIN, Errno.EINTR, Errno.ENOMEM, Errno.EIO, Errno.EINVAL);

    @ParameterizedTest
    @MethodSource("dev.seamlab.kvm.Sweeps#variants")
    void manyThingsGoWrong_andWhatIsLostIsKnown(Variant variant) {
        int seeds = Sweeps.takesAll() ? ALL_SEEDS : SEEDS;
        int ends = 0;
        for (int seed = 0; seed < seeds; seed++) {
            ends += storm(variant, 100_000 * variant.number() + seed) ? 1 : 0;
        }
        Sweeps.figure(variant, seeds + " storms survived, " + ends + " lives to their end");
    }

    private static boolean storm(Variant variant, int seed) {
        Random random = new Random(seed);
        boolean[] armed = new boolean[1];
        KvmRig rig =
                new KvmRig(
                        variant.policy(),
                        new InterruptModel() {
                            @Override
                            public boolean isPending(LogicalCpu cpu, Leaf leaf) {
                                return armed[0] && random.nextInt(4) == 0;
                            }

                            @Override
                            public boolean yieldsToHostPriority() {
                                return true;
                            }
                        });
        WholeLife life = new WholeLife(rig);
        life.afterEintr(true, () -> Sweeps.allowRun(life));
        Set<Long> calls = some(random, 1 + random.nextInt(4), CALLS);
        if (random.nextBoolean()) {
            calls.add(calls.iterator().next() + 1);
        }
        Set<Long> allocations = some(random, random.nextInt(3), ALLOCATIONS);
        Set<Long> signals = some(random, random.nextInt(3), CALLS);
        long[] seen = new long[2];
        rig.host.pages().setGate((use, pages) -> !allocations.contains(++seen[1]));
        rig.faults.replace(
                null,
                1,
                Long.MAX_VALUE,
                (module, cpu, regs) -> {
                    long call = ++seen[0];
                    if (signals.contains(call)) {
                        Sweeps.signal(life);
                    }
                    // Backing that is not there, and said to be, is R-13 and no storm.
                    boolean spared =
                            variant.hasR13() && Sweeps.leafOf(regs) == Leaf.PHYMEM_PAMT_ADD;
                    if (!calls.contains(call) || spared) {
                        return module.call(cpu, regs);
                    }
                    long status = STATUSES.get(random.nextInt(STATUSES.size()));
                    regs.rax(status);
                    return status;
                });
        armed[0] = true;
        life.live();
        rig.faults.clear();
        String where =
                String.format(
                        "%s, seed %d, calls %s, allocations %s, signals %s: %s",
                        variant, seed, calls, allocations, signals, life);
        assertThat(life.told()).as(where).allMatch(told -> TOLD.contains(told.errno()));
        Sweeps.assertNothingLost(rig, life, where);
        rig.abandon();
        return life.reachedItsEnd();
    }

    /** Some numbers from 1, more often small ones: the build is short, the removals are long. */
    private static Set<Long> some(Random random, int count, int bound) {
        Set<Long> numbers = new TreeSet<>();
        for (int i = 0; i < count; i++) {
            int most = random.nextBoolean() ? bound : bound / 12;
            numbers.add(1L + random.nextInt(most));
        }
        return numbers;
    }
}
