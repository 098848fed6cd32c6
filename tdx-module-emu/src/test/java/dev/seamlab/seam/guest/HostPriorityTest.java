// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.GuestMode;
import dev.seamlab.machine.GuestMode.Outcome;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.Seam;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.TdcallLeaf;
import dev.seamlab.seam.sept.SeptCursor;
import dev.seamlab.seam.sept.SeptEntry;
import dev.seamlab.seam.td.Tdcs;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Guest-side locks give way to a host that marked them as wanted (facts: section 12.1). The mark is
 * set by hand here; on a real machine a host call that met the guest inside the lock leaves it.
 */
class HostPriorityTest {
    private static final long PAGE = 0x1000;
    private static final long HOST_PRIORITY = 2;
    private static final long HINT = 1L << 60;

    private @Nullable OpenModule module;
    private final GuestRig.Running td = GuestRig.running(this::firmware, 0, 0, 1);
    private final GuestRig rig = td.rig();

    private Seam firmware(Machine machine) {
        module = new OpenModule(machine);
        return module;
    }

    private Tdcs tdcs() {
        var tdr = Objects.requireNonNull(module).state.tds().get(rig.tdr >>> 12);
        return Objects.requireNonNull(Objects.requireNonNull(tdr).tdcs());
    }

    private void wantEntry(long gpa) {
        SeptCursor cursor = new SeptCursor();
        assertThat(cursor.walk(tdcs().septRoot(), gpa, PageInfo.LEVEL_4K)).isTrue();
        cursor.table().words()[cursor.index()] |= SeptEntry.HOST_PRIORITY;
    }

    private static long accept(GuestMode cpu) {
        cpu.gprs().clear().rax(TdcallLeaf.MEM_PAGE_ACCEPT.number()).rcx(PAGE);
        return cpu.tdcall() == Outcome.DONE ? cpu.gprs().rax() : -1;
    }

    @Test
    void accept_entryWantedByTheHost_isPlainBusy_untilTheHostCameThrough() {
        rig.aug(PAGE, PageInfo.LEVEL_4K);
        wantEntry(PAGE);
        td.enter(
                GuestRig.once(cpu -> {
                    long busy = StatusCode.OPERAND_BUSY.with(Operand.RCX);
                    assertThat(accept(cpu)).isEqualTo(busy);
                    assertThat(accept(cpu)).isEqualTo(busy);
                    assertThat(rig.call(1, Leaf.MEM_SEPT_RD, PAGE, rig.tdr)).isZero();
                    assertThat(accept(cpu)).isZero();
                }));
    }

    @Test
    void rtmrExtend_lockWantedByTheHost_isBusyOnTheRtmr() {
        tdcs().locks()[Tdcs.RTMR_LOCK] |= HOST_PRIORITY;
        td.enter(
                GuestRig.once(cpu ->
                        assertThat(GuestRig.tdcall(cpu, TdcallLeaf.MR_RTMR_EXTEND, 0, 0))
                                .isEqualTo(StatusCode.OPERAND_BUSY.with(Operand.RTMR))));
    }

    @Test
    void busyForTooLong_exits_andTheHostsHintReachesTheGuest() {
        rig.aug(PAGE, PageInfo.LEVEL_4K);
        wantEntry(PAGE);
        tdcs().controls().hpLockTimeout(0);
        long[] guestRax = new long[1];
        int[] steps = new int[1];
        rig.bind(
                td.vcpus()[0],
                cpu -> {
                    if (steps[0]++ == 0) {
                        assertThat(accept(cpu))
                                .isEqualTo(StatusCode.OPERAND_BUSY.with(Operand.RCX));
                        assertThat(accept(cpu)).isEqualTo(-1);
                    } else {
                        guestRax[0] = cpu.gprs().rax();
                        cpu.vmExit(ExitReason.EXTERNAL_INTERRUPT, 0, 0, 0);
                    }
                });
        Registers regs = new Registers();
        assertThat(rig.callWith(regs, 0, Leaf.VP_ENTER, td.vcpus()[0]))
                .isEqualTo(StatusCode.HOST_PRIORITY_BUSY_TIMEOUT.word());
        assertThat(rig.callWith(regs, 0, Leaf.VP_ENTER, td.vcpus()[0] | 1L << 52))
                .isEqualTo(ExitReason.EXTERNAL_INTERRUPT);
        assertThat(guestRax[0]).isEqualTo(StatusCode.OPERAND_BUSY.with(Operand.RCX) | HINT);
        assertThat(rig.callWith(regs, 0, Leaf.VP_ENTER, td.vcpus()[0] | 1L << 52))
                .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RCX));
    }
}
