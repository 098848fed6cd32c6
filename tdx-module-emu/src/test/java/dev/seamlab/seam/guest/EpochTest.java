// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.GuestMode.Access;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.VcpuState;
import org.junit.jupiter.api.Test;

/**
 * What other CPUs can and cannot do while a vCPU is inside: the epoch protocol and the locks that
 * VP.ENTER keeps (facts: sections 8.4 and 12.4). Guest code runs on CPU 0 and makes host calls on
 * CPU 1 from inside, so every interleaving is exact.
 */
class EpochTest {
    private final GuestRig.Running td = GuestRig.running(0, 0, 2);
    private final GuestRig rig = td.rig();

    private long host(Leaf leaf, long... operands) {
        return rig.call(1, leaf, operands);
    }

    @Test
    void track_withAVcpuInside_advancesOnceAndThenWaitsForIt() {
        td.enter(
                GuestRig.once(cpu -> {
                    assertThat(host(Leaf.MEM_TRACK, rig.tdr)).isZero();
                    assertThat(host(Leaf.MEM_TRACK, rig.tdr))
                            .isEqualTo(StatusCode.PREVIOUS_TLB_EPOCH_BUSY.word());
                }));
        assertThat(host(Leaf.MEM_TRACK, rig.tdr)).isZero();
    }

    @Test
    void remove_afterOneTrack_waitsUntilTheVcpuLeft() {
        td.enter(
                GuestRig.once(cpu -> {
                    assertThat(host(Leaf.MEM_RANGE_BLOCK, 0, rig.tdr)).isZero();
                    assertThat(host(Leaf.MEM_TRACK, rig.tdr)).isZero();
                    assertThat(host(Leaf.MEM_PAGE_REMOVE, 0, rig.tdr))
                            .isEqualTo(StatusCode.TLB_TRACKING_NOT_DONE.with(Operand.RCX));
                }));
        // Leaving is enough, and a vCPU that comes back belongs to the new epoch.
        td.enter(GuestRig.once(cpu -> assertThat(host(Leaf.MEM_PAGE_REMOVE, 0, rig.tdr)).isZero()));
    }

    @Test
    void block_withAVcpuInside_takesThePageFromItAtOnce() {
        long status =
                td.enter(cpu -> {
                    assertThat(host(Leaf.MEM_RANGE_BLOCK, 0, rig.tdr)).isZero();
                    cpu.touch(0, Access.READ);
                });
        assertThat(status).isEqualTo(ExitReason.EPT_VIOLATION);
    }

    @Test
    void leavesThatWantTheTdOrTheVcpuAlone_areBusyWhileItRuns() {
        long busy = StatusCode.OPERAND_BUSY.with(Operand.RCX);
        td.enter(
                GuestRig.once(cpu -> {
                    assertThat(host(Leaf.MNG_VPFLUSHDONE, rig.tdr)).isEqualTo(busy);
                    assertThat(host(Leaf.MNG_KEY_FREEID, rig.tdr)).isEqualTo(busy);
                    assertThat(host(Leaf.MR_FINALIZE, rig.tdr)).isEqualTo(busy);
                    assertThat(host(Leaf.VP_FLUSH, td.vcpus()[0])).isEqualTo(busy);
                    assertThat(host(Leaf.VP_INIT, td.vcpus()[0], 0)).isEqualTo(busy);
                }));
    }

    @Test
    void leavesThatShare_workWhileItRuns() {
        td.enter(
                GuestRig.once(cpu -> {
                    long next = 0x1000;
                    assertThat(host(Leaf.MEM_PAGE_AUG, next, rig.tdr, rig.page())).isZero();
                    assertThat(GuestRig.accept(cpu, next, PageInfo.LEVEL_4K)).isZero();
                    assertThat(host(Leaf.MEM_SEPT_RD, next, rig.tdr)).isZero();
                    assertThat(host(Leaf.PHYMEM_PAGE_RDMD, rig.tdr)).isZero();
                }));
    }

    @Test
    void enter_aVcpuThatIsInside_saysActive() {
        td.enter(
                GuestRig.once(cpu ->
                        assertThat(host(Leaf.VP_ENTER, td.vcpus()[0]))
                                .isEqualTo(
                                        StatusCode.VCPU_STATE_INCORRECT.withDetail(
                                                VcpuState.ACTIVE.code()))));
    }

    @Test
    void enter_onAnotherCpuThanTheAssociatedOne_isRefused() {
        assertThat(host(Leaf.VP_ENTER, td.vcpus()[0])).isEqualTo(StatusCode.VCPU_ASSOCIATED.word());
        rig.must(Leaf.VP_FLUSH, td.vcpus()[0]);
        assertThat(host(Leaf.VP_ENTER, td.vcpus()[0])).isEqualTo(ExitReason.EXTERNAL_INTERRUPT);
    }

    @Test
    void enter_whileAnotherVcpuOfTheTdRuns_works() {
        td.enter(
                GuestRig.once(cpu ->
                        assertThat(td.enter(1, 1, GuestRig.once(other -> {})))
                                .isEqualTo(ExitReason.EXTERNAL_INTERRUPT)));
    }

    @Test
    void enter_reservedOrUnusableFlags_nameRcx() {
        long invalid = StatusCode.OPERAND_INVALID.with(Operand.RCX);
        long vcpu = td.vcpus()[0];
        for (long flags : new long[] {1, 0x800, 1L << 52, 1L << 53, 1L << 54, 1L << 63}) {
            assertThat(rig.call(0, Leaf.VP_ENTER, vcpu | flags)).isEqualTo(invalid);
        }
        assertThat(td.enter(GuestRig.once(cpu -> {}))).isEqualTo(ExitReason.EXTERNAL_INTERRUPT);
    }

    @Test
    void enter_refused_leavesTheOperandsAlone() {
        rig.call(1, Leaf.VP_ENTER, td.vcpus()[0], 5, 6);
        assertThat(rig.regs.rcx()).isEqualTo(td.vcpus()[0]);
        assertThat(rig.regs.rdx()).isEqualTo(5);
        assertThat(rig.regs.r8()).isEqualTo(6);
    }
}
