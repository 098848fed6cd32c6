// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.TestModule;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.core.InterruptModel;
import org.junit.jupiter.api.Test;

/** Long leaves under a model that stops them, and SYS.SHUTDOWN. */
class InterruptedLeavesTest {
    /** Stops a leaf as often as it is told to. */
    private static final class Stops implements InterruptModel {
        private int left;

        @Override
        public boolean isPending(LogicalCpu cpu, Leaf leaf) {
            if (left == 0) {
                return false;
            }
            left--;
            return true;
        }

        @Override
        public boolean yieldsToHostPriority() {
            return true;
        }
    }

    private final Stops stops = new Stops();

    @Test
    void cacheWb_interrupted_resumesWhereItStopped() {
        World world = new World(false, stops);
        stops.left = 2;

        assertThat(cacheWb(world, 0)).isEqualTo(StatusCode.INTERRUPTED_RESUMABLE.word());
        assertThat(freeId(world)).isEqualTo(StatusCode.WBCACHE_NOT_COMPLETE.word());
        assertThat(cacheWb(world, 1)).isEqualTo(StatusCode.INTERRUPTED_RESUMABLE.word());
        assertThat(cacheWb(world, 1)).isZero();
        assertThat(freeId(world)).isZero();
        assertThat(cacheWb(world, 1)).isEqualTo(StatusCode.WBCACHE_RESUME_ERROR.word());
    }

    @Test
    void demote_interrupted_operandsBackAndNothingChanged() {
        restartable(Leaf.MEM_PAGE_DEMOTE);
    }

    @Test
    void promote_interrupted_operandsBackAndNothingChanged() {
        restartable(Leaf.MEM_PAGE_PROMOTE);
    }

    @Test
    void sysShutdown_tdBeingBuilt_refusedOnlyIfAsked() {
        TestModule module = new World(false).module;

        assertThat(module.call(Leaf.SYS_SHUTDOWN, 0, 0, 0))
                .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RCX));
        assertThat(module.call(Leaf.SYS_SHUTDOWN, 1 | 1 << 17, 0, 0))
                .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RCX));
        assertThat(module.call(Leaf.SYS_SHUTDOWN, 1 | 1 << 16, 0, 0))
                .isEqualTo(StatusCode.UPDATE_COMPATIBILITY_SENSITIVE.withDetail(2 << 16));
        assertThat(module.call(Leaf.SYS_SHUTDOWN, 1, 0, 0)).isZero();
        assertThat(module.call(Leaf.SYS_RD, 0, 0, 0)).isEqualTo(StatusCode.SYS_SHUTDOWN.word());
        assertThat(module.call(Leaf.SYS_LP_SHUTDOWN, 0, 0, 0)).isZero();
    }

    private void restartable(Leaf leaf) {
        World world = new World(true, stops);
        Contract contract =
                Contract.all(true).stream().filter(c -> c.leaf() == leaf).findFirst().orElseThrow();
        Registers regs = contract.call(world);
        Registers before = new Registers();
        before.copyFrom(regs);
        long digest = world.probe.digest();
        stops.left = 1;

        assertThat(world.module.call(regs)).isEqualTo(StatusCode.INTERRUPTED_RESTARTABLE.word());
        for (int r = Registers.RCX; r < Registers.COUNT; r++) {
            assertThat(regs.get(r)).as("register %d", r).isEqualTo(before.get(r));
        }
        assertThat(world.probe.digest()).isEqualTo(digest);
        regs.rax(leaf.number());
        assertThat(world.module.call(regs)).isZero();
    }

    private static long cacheWb(World world, long command) {
        return world.module.call(Leaf.PHYMEM_CACHE_WB, command, 0, 0);
    }

    private static long freeId(World world) {
        return world.module.call(Leaf.MNG_KEY_FREEID, world.value("WAITING"), 0, 0);
    }
}
