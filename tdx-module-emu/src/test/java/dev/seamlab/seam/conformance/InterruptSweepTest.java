// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.core.InterruptModel;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * Every leaf that looks for interrupts is stopped at each place where it looks, changes nothing
 * where it has to be restarted, is called again as its answer asks, and ends well.
 */
class InterruptSweepTest {
    /** Stops a leaf at one of its looks once it is armed; the first is number 1. */
    private static final class StopAt implements InterruptModel {
        private int stop;
        private int looks;

        void arm(int look) {
            stop = look;
            looks = 0;
        }

        @Override
        public boolean isPending(LogicalCpu cpu, Leaf leaf) {
            return ++looks == stop;
        }

        @Override
        public boolean yieldsToHostPriority() {
            return true;
        }
    }

    @Test
    void anyLeaf_stoppedWhereverItLooks_isCalledAgainAndEndsWell() {
        Set<Leaf> stopped = EnumSet.noneOf(Leaf.class);
        int stops = 0;
        for (Contract contract : Contract.all(true)) {
            StopAt never = new StopAt();
            World undisturbed = new World(true, never);
            never.arm(0);
            long smooth = undisturbed.module.call(contract.call(undisturbed));
            if (never.looks > 0) {
                assertThat(smooth).as("%s", contract.leaf()).isGreaterThanOrEqualTo(0);
            }
            for (int look = 1; look <= never.looks; look++) {
                stops++;
                stopped.add(contract.leaf());
                stoppedAt(look, contract);
            }
        }
        System.out.printf("%d stops of %s%n", stops, stopped);
        assertThat(stopped)
                .contains(Leaf.MEM_PAGE_DEMOTE, Leaf.MEM_PAGE_PROMOTE, Leaf.PHYMEM_CACHE_WB);
    }

    private static void stoppedAt(int look, Contract contract) {
        String where = contract.leaf() + " stopped at look " + look;
        StopAt model = new StopAt();
        World world = new World(true, model);
        model.arm(look);
        Registers regs = contract.call(world);
        long rax = regs.rax();
        long before = world.probe.digest();
        long answer = world.module.call(regs);
        if (answer == StatusCode.INTERRUPTED_RESUMABLE.word()) {
            regs.rcx(1);
        } else {
            assertThat(answer).as(where).isEqualTo(StatusCode.INTERRUPTED_RESTARTABLE.word());
            assertThat(world.probe.digest()).as(where).isEqualTo(before);
        }
        assertThat(world.module.call(regs.rax(rax))).as(where).isGreaterThanOrEqualTo(0);
        assertThat(world.probe.violations()).as(where).isEmpty();
        assertThat(world.probe.digest()).as(where).isNotEqualTo(before);
    }
}
