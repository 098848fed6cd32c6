// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mem;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.TestModule;
import dev.seamlab.seam.TestTd;
import dev.seamlab.seam.abi.Leaf;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;

/** What a fault and a zap need of the module costs no object. */
class HotPathTest {
    private static final int ROUNDS = 2000;
    private static final int WARM_UP = 2000;
    private static final long PAGE = TestModule.BASE + Addresses.RANGE_SIZE;

    private final TestModule module = TestModule.dynamicPamt();
    private final TestTd td = TestTd.runnable(module);
    private final Registers regs = new Registers();

    @Test
    void augBlockTrackRemove_manyTimes_allocateNothing() {
        td.addTables(0);
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long me = Thread.currentThread().threadId();
        rounds(WARM_UP);

        long before = threads.getThreadAllocatedBytes(me);
        rounds(ROUNDS);
        long allocated = threads.getThreadAllocatedBytes(me) - before;

        // The probe itself may allocate a little; a single object per call would be 16 times this.
        assertThat(allocated).isLessThan(ROUNDS * 4L);
    }

    private void rounds(int count) {
        for (int i = 0; i < count; i++) {
            call(Leaf.MEM_PAGE_AUG, 0, td.tdr(), PAGE);
            call(Leaf.MEM_RANGE_BLOCK, 0, td.tdr(), 0);
            call(Leaf.MEM_TRACK, td.tdr(), 0, 0);
            call(Leaf.MEM_PAGE_REMOVE, 0, td.tdr(), 0);
        }
    }

    private void call(Leaf leaf, long rcx, long rdx, long r8) {
        regs.clear().rax(leaf.number()).rcx(rcx).rdx(rdx).r8(r8);
        if (module.call(regs) != 0) {
            throw new AssertionError(leaf + " failed: 0x" + Long.toHexString(regs.rax()));
        }
    }
}
