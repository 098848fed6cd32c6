// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.Sweeps.Variant;
import dev.seamlab.seam.core.InterruptModel;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Memory that is short at each moment of a whole life: one allocation that fails, and all of them
 * until user space hears of it. ENOMEM is all that anybody is ever told, the step works when it is
 * repeated, and nothing is lost.
 */
@Timeout(600)
class AllocationSweepTest {
    /** What pools and caches are filled with. */
    private static final Set<PageUse> POOLS =
            EnumSet.of(PageUse.POOL, PageUse.SEPT_READY, PageUse.SEPT, PageUse.PAMT_PAIR);

    @ParameterizedTest
    @MethodSource("dev.seamlab.kvm.Sweeps#variants")
    void anyAllocationOfALifeFails_isEnomemOrMadeUpFor_andTheStepWorksWhenRepeated(
            Variant variant) {
        long[] seen = new long[1];
        long points = smooth(variant, EnumSet.allOf(PageUse.class));
        assertThat(points).isGreaterThan(50);
        int told = 0;
        int lives = 0;
        for (long nth : Sweeps.pick(Sweeps.upTo(points), variant)) {
            KvmRig rig = new KvmRig(variant.policy(), InterruptModel.NEVER);
            seen[0] = 0;
            rig.host.pages().setGate((use, pages) -> ++seen[0] != nth);
            WholeLife life = new WholeLife(rig).live();
            String where = variant + ", allocation " + nth + ": " + life;
            assertThat(life.told()).as(where).hasSizeLessThanOrEqualTo(1);
            told += life.told().size();
            lives++;
            well(rig, life, where);
        }
        Sweeps.figure(variant, lives + " failed allocations survived, " + told + " of them told");
        assertThat(told).isPositive();
    }

    @ParameterizedTest
    @MethodSource("dev.seamlab.kvm.Sweeps#variants")
    void poolsThatCannotBeFilled_areEnomemUntilMemoryIsBack(Variant variant) {
        long[] seen = new long[1];
        long points = smooth(variant, POOLS);
        assertThat(points).isGreaterThan(10);
        int lives = 0;
        for (long nth : Sweeps.pick(Sweeps.upTo(points), variant)) {
            KvmRig rig = new KvmRig(variant.policy(), InterruptModel.NEVER);
            seen[0] = 0;
            AtomicBoolean noticed = new AtomicBoolean();
            rig.host
                    .pages()
                    .setGate((use, pages) ->
                            !POOLS.contains(use) || ++seen[0] < nth || noticed.get());
            WholeLife life = new WholeLife(rig).afterEnomem(() -> noticed.set(true)).live();
            String where = variant + ", pools empty from allocation " + nth + ": " + life;
            assertThat(life.told()).as(where).hasSizeLessThanOrEqualTo(1);
            lives++;
            well(rig, life, where);
        }
        Sweeps.figure(variant, lives + " exhausted pools survived");
    }

    /** Allocations of some uses in a life that nothing disturbs. */
    private static long smooth(Variant variant, Set<PageUse> uses) {
        long[] seen = new long[1];
        KvmRig rig = new KvmRig(variant.policy(), InterruptModel.NEVER);
        rig.host
                .pages()
                .setGate((use, pages) -> {
                    seen[0] += uses.contains(use) ? 1 : 0;
                    return true;
                });
        well(rig, new WholeLife(rig).live(), "nothing refused");
        return seen[0];
    }

    private static void well(KvmRig rig, WholeLife life, String where) {
        assertThat(life.told()).as(where).allMatch(told -> told.errno() == Errno.ENOMEM);
        assertThat(life.reachedItsEnd()).as(where).isTrue();
        assertThat(life.report().isClean()).as(where).isTrue();
        Sweeps.assertNothingLost(rig, life, where);
        rig.abandon();
    }
}
