// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.seamlab.machine.GuestCode;
import dev.seamlab.machine.GuestContext;
import dev.seamlab.machine.GuestMode;
import dev.seamlab.machine.GuestMode.Access;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.SharedEpt;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.TdcallLeaf;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.Test;

/**
 * The paths that a running guest takes most often allocate nothing. The JVM itself may allocate a
 * little on a thread, so the assertion is "less than a byte an operation".
 */
class AllocationTest {
    private static final int TIMES = 2_000;
    private static final long PAGE = 0x1000;
    private static final int PAGES = 256;

    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    private final GuestRig.Running td = GuestRig.running(0);
    private final GuestRig rig = td.rig();

    /** Bytes that a run allocates once everything it needs is loaded. */
    private static long allocated(Runnable run) {
        run.run();
        long before = THREADS.getCurrentThreadAllocatedBytes();
        long overhead = THREADS.getCurrentThreadAllocatedBytes() - before;
        before = THREADS.getCurrentThreadAllocatedBytes();
        run.run();
        return THREADS.getCurrentThreadAllocatedBytes() - before - overhead;
    }

    /** Executes TIMES entries, each of which ends by the interrupt that the guest asks for. */
    private long allocatedByEntries(GuestCode code) {
        Registers regs = new Registers();
        var cpu = rig.machine.cpus().getFirst();
        rig.machine.bindGuest(
                td.vcpus()[0], new GuestContext(code, (gpa, access) -> SharedEpt.NOT_MAPPED));
        return allocated(() -> {
            for (int i = 0; i < TIMES; i++) {
                regs.clear().rax(Leaf.VP_ENTER.rax(0)).rcx(td.vcpus()[0]);
                rig.machine.seamcall(cpu, regs);
            }
        });
    }

    @Test
    void entryTouchAndExit() {
        long bytes =
                allocatedByEntries(cpu -> {
                    cpu.touch(0, Access.WRITE);
                    cpu.touch(0x5000, Access.READ);
                });
        assertThat(bytes).isLessThan(TIMES);
    }

    @Test
    void vmcall() {
        long bytes =
                allocatedByEntries(cpu -> {
                    cpu.gprs().rax(TdcallLeaf.VP_VMCALL.number()).rcx(0xFC00);
                    cpu.tdcall();
                });
        assertThat(bytes).isLessThan(TIMES);
    }

    @Test
    void acceptOfFreshPages() {
        for (int i = 1; i <= 2 * PAGES; i++) {
            if (i * PAGE < 0x20_0000) {
                rig.aug(i * PAGE, PageInfo.LEVEL_4K);
            }
        }
        long[] next = {PAGE};
        Acceptor acceptor = new Acceptor(next);
        long bytes = allocatedByEntriesOnce(acceptor);
        assertThat(acceptor.failures).isZero();
        assertThat(next[0]).isGreaterThanOrEqualTo(PAGES * PAGE);
        assertThat(bytes).isLessThan(PAGES);
    }

    private long allocatedByEntriesOnce(GuestCode code) {
        Registers regs = new Registers();
        var cpu = rig.machine.cpus().getFirst();
        rig.machine.bindGuest(
                td.vcpus()[0], new GuestContext(code, (gpa, access) -> SharedEpt.NOT_MAPPED));
        return allocated(() -> {
            regs.clear().rax(Leaf.VP_ENTER.rax(0)).rcx(td.vcpus()[0]);
            rig.machine.seamcall(cpu, regs);
        });
    }

    /** Accepts half of the pages per entry. */
    private static final class Acceptor implements GuestCode {
        private final long[] next;
        private int left = PAGES - 1;
        int failures;

        Acceptor(long[] next) {
            this.next = next;
        }

        @Override
        public void step(GuestMode cpu) {
            if (left == 0) {
                left = PAGES - 1;
                cpu.vmExit(1, 0, 0, 0);
                return;
            }
            left--;
            cpu.gprs().rax(TdcallLeaf.MEM_PAGE_ACCEPT.number()).rcx(next[0]);
            cpu.tdcall();
            if (cpu.gprs().rax() != 0) {
                failures++;
            }
            next[0] += PAGE;
        }
    }
}
