// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

import static dev.seamlab.seam.abi.PageInfo.LEVEL_4K;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.GuestMode;
import dev.seamlab.machine.GuestMode.Access;
import dev.seamlab.machine.GuestMode.Outcome;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.TdcallLeaf;
import dev.seamlab.seam.abi.VcpuState;
import dev.seamlab.seam.td.TdConfig;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the host and the guest see when something leads out of the guest, or nearly so. */
class TdExitTest {
    private static final long PAGE = 0x5000;
    private static final int HLT = 12;
    private static final int NMI_WINDOW = 8;
    private static final long PEND_NMI = 0x2020_0000_0000_000BL;

    private final GuestRig.Running td = GuestRig.running(0);
    private final GuestRig rig = td.rig();

    private void everythingElseIsZero(int... used) {
        for (int i = 1; i < Registers.COUNT; i++) {
            boolean expected = false;
            for (int u : used) {
                expected |= u == i;
            }
            if (!expected && i != Registers.RSP) {
                assertThat(rig.regs.get(i)).as("register %d", i).isZero();
            }
        }
    }

    @ParameterizedTest
    @EnumSource(Access.class)
    void touch_privateHole_exitsWithTheAccess(Access access) {
        long status =
                td.enter(cpu ->
                        assertThat(cpu.touch(PAGE + 0x123, access)).isEqualTo(Outcome.EXITED));
        assertThat(status).isEqualTo(ExitReason.EPT_VIOLATION);
        assertThat(rig.regs.rcx()).isEqualTo(1L << access.ordinal());
        assertThat(rig.regs.r8()).isEqualTo(PAGE);
        everythingElseIsZero(Registers.RCX, Registers.R8);
    }

    @Test
    void touch_sharedHole_exitsWithTheSharedBit() {
        td.enter(cpu -> cpu.touch(GuestRig.SHARED_BIT | PAGE, Access.WRITE));
        assertThat(rig.regs.rax()).isEqualTo(ExitReason.EPT_VIOLATION);
        assertThat(rig.regs.r8()).isEqualTo(GuestRig.SHARED_BIT | PAGE);
    }

    @Test
    void touch_sharedMapping_reachesHostMemory() {
        long host = 0x9000_0000L;
        rig.bind(
                td.vcpus()[0],
                GuestRig.once(cpu ->
                        assertThat(cpu.write(GuestRig.SHARED_BIT | PAGE | 8, new byte[] {42}, 0, 1))
                                .isEqualTo(Outcome.DONE)),
                (gpa, access) -> {
                    assertThat(gpa).isEqualTo(PAGE);
                    return host;
                });
        rig.call(0, Leaf.VP_ENTER, td.vcpus()[0]);
        assertThat(rig.memory().readByte(host + 8)).isEqualTo(42);
    }

    @Test
    void touch_widerThanTheTd_isAPageFault() {
        Outcome[] seen = new Outcome[1];
        long[] injected = new long[1];
        td.enter(
                GuestRig.once(cpu -> {
                    seen[0] = cpu.touch(1L << 50, Access.READ);
                    injected[0] = ((GuestCpu) cpu).injected();
                }));
        assertThat(seen[0]).isEqualTo(Outcome.EXCEPTION);
        assertThat(injected[0]).isEqualTo(0x8000_0B0EL);
    }

    @Test
    void touch_pending_isAVirtualizationException() {
        rig.aug(PAGE, LEVEL_4K);
        long status =
                td.enter(
                        GuestRig.once(cpu -> {
                            assertThat(cpu.touch(PAGE + 4, Access.WRITE))
                                    .isEqualTo(Outcome.VIRTUALIZATION_EXCEPTION);
                            Registers gprs = cpu.gprs();
                            assertThat(GuestRig.tdcall(cpu, TdcallLeaf.VP_VEINFO_GET, 0, 0))
                                    .isZero();
                            assertThat(gprs.rcx()).isEqualTo(ExitReason.EPT_VIOLATION);
                            assertThat(gprs.rdx()).isEqualTo(0x182);
                            assertThat(gprs.r9()).isEqualTo(PAGE + 4);
                            assertThat(GuestRig.tdcall(cpu, TdcallLeaf.VP_VEINFO_GET, 0, 0))
                                    .isEqualTo(StatusCode.NO_VALID_VE_INFO.word());
                        }));
        assertThat(status).isEqualTo(ExitReason.EXTERNAL_INTERRUPT);
    }

    @Test
    void touch_pendingWithVeDisabled_exitsWithType6() {
        GuestRig.Running quiet = GuestRig.running(GuestRig.SEPT_VE_DISABLE);
        quiet.rig().aug(PAGE, LEVEL_4K);
        long status = quiet.enter(cpu -> cpu.touch(PAGE, Access.READ));
        assertThat(status).isEqualTo(ExitReason.EPT_VIOLATION);
        assertThat(quiet.rig().regs.rdx()).isEqualTo(ExitReason.EXTENDED_PENDING_EPT_VIOLATION);
    }

    @Test
    void hlt_twiceWithoutTakingTheInformation_isADoubleFault() {
        td.enter(
                GuestRig.once(cpu -> {
                    assertThat(cpu.vmExit(HLT, 0, 0, 0))
                            .isEqualTo(Outcome.VIRTUALIZATION_EXCEPTION);
                    assertThat(cpu.vmExit(HLT, 0, 0, 0)).isEqualTo(Outcome.EXCEPTION);
                    assertThat(((GuestCpu) cpu).injected()).isEqualTo(0x8000_0B08L);
                }));
    }

    @Test
    void tripleFault_disablesTheVcpu() {
        long status = td.enter(cpu -> cpu.vmExit(ExitReason.TRIPLE_FAULT, 0, 0, 0));
        assertThat(status)
                .isEqualTo(StatusCode.NON_RECOVERABLE_VCPU.withDetail(ExitReason.TRIPLE_FAULT));
        everythingElseIsZero();
        assertThat(td.enter(cpu -> cpu.touch(0, Access.READ)))
                .isEqualTo(StatusCode.VCPU_STATE_INCORRECT.withDetail(VcpuState.DISABLED.code()));
    }

    @Test
    void unexpectedExit_endsTheTd() {
        assertThat(td.enter(cpu -> cpu.vmExit(64, 0, 0, 0)))
                .isEqualTo(StatusCode.NON_RECOVERABLE_TD.withDetail(64));
        assertThat(td.enter(cpu -> cpu.touch(0, Access.READ)))
                .isEqualTo(StatusCode.TD_FATAL.word());
    }

    @Test
    void afterTheExit_theRestOfTheStepDoesNothing() {
        td.enter(cpu -> {
            assertThat(cpu.touch(PAGE, Access.READ)).isEqualTo(Outcome.EXITED);
            assertThat(cpu.touch(0, Access.READ)).isEqualTo(Outcome.EXITED);
            assertThat(cpu.vmExit(HLT, 0, 0, 0)).isEqualTo(Outcome.EXITED);
        });
        assertThat(rig.regs.r8()).isEqualTo(PAGE);
    }

    @Test
    void interrupt_pending_exitsBeforeTheFirstInstruction() {
        rig.machine.cpus().getFirst().raiseInterrupt();
        long status =
                td.enter(cpu -> {
                    throw new AssertionError("executed");
                });
        assertThat(status).isEqualTo(ExitReason.EXTERNAL_INTERRUPT);
        assertThat(rig.regs.r9()).isEqualTo(0x8000_00F0L);
        everythingElseIsZero(Registers.R9);
    }

    @Test
    void interrupt_duringAnEndlessLoop_getsTheVcpuOut() {
        int[] steps = new int[1];
        td.enter(cpu -> {
            steps[0]++;
            if (steps[0] == 1000) {
                rig.machine.cpus().getFirst().raiseInterrupt();
            }
        });
        assertThat(steps[0]).isEqualTo(1000);
        assertThat(rig.regs.rax()).isEqualTo(ExitReason.EXTERNAL_INTERRUPT);
    }

    @Test
    void noGuestBound_exitsAtOnce() {
        assertThat(rig.call(0, Leaf.VP_ENTER, td.vcpus()[0]))
                .isEqualTo(ExitReason.EXTERNAL_INTERRUPT);
    }

    @Test
    void guestCodeThatThrows_leavesTheVcpuUsable() {
        try {
            td.enter(cpu -> {
                throw new IllegalStateException("broken program");
            });
        } catch (IllegalStateException e) {
            assertThat(e).hasMessage("broken program");
        }
        assertThat(td.enter(cpu -> cpu.vmExit(1, 0, 0, 0)))
                .isEqualTo(ExitReason.EXTERNAL_INTERRUPT);
        rig.must(Leaf.MEM_TRACK, rig.tdr);
        rig.must(Leaf.MEM_TRACK, rig.tdr);
    }

    @Test
    void vmcall_passesSelectedRegistersBothWays() {
        long selected = 0xFFCC;
        int[] step = new int[1];
        long[] answer = new long[Registers.COUNT];
        rig.bind(
                td.vcpus()[0],
                cpu -> {
                    if (step[0]++ == 0) {
                        vmcall(cpu, selected);
                    } else {
                        for (int i = 0; i < Registers.COUNT; i++) {
                            answer[i] = cpu.gprs().get(i);
                        }
                        cpu.vmExit(1, 0, 0, 0);
                    }
                });
        Registers host = new Registers();
        assertThat(rig.callWith(host, 0, Leaf.VP_ENTER, td.vcpus()[0]))
                .isEqualTo(ExitReason.TDCALL);
        assertThat(host.rcx()).isEqualTo(selected);
        for (int i = 2; i < Registers.COUNT; i++) {
            if (i != Registers.RSP) {
                assertThat(host.get(i)).isEqualTo((selected >>> i & 1) != 0 ? 0x100 + i : 0);
            }
        }
        for (int i = 2; i < Registers.COUNT; i++) {
            host.set(i, 0x200 + i);
        }
        host.rax(Leaf.VP_ENTER.rax(0)).rcx(td.vcpus()[0]);
        rig.machine.seamcall(rig.machine.cpus().getFirst(), host);
        assertThat(answer[Registers.RAX]).isZero();
        assertThat(answer[Registers.RCX]).isEqualTo(selected);
        for (int i = 2; i < Registers.COUNT; i++) {
            assertThat(answer[i]).isEqualTo((selected >>> i & 1) != 0 ? 0x200 + i : 0x100 + i);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0x1, 0x2, 0x10, 0xFFEF, 0x1_0000_0000L})
    void vmcall_badSelection_staysInTheGuest(long selected) {
        long[] seen = new long[1];
        td.enter(
                GuestRig.once(
                        cpu -> seen[0] = GuestRig.tdcall(cpu, TdcallLeaf.VP_VMCALL, selected, 0)));
        assertThat(seen[0]).isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RCX));
    }

    @Test
    void noRbpMod_keepsTheHostsRbp() {
        GuestRig.Running modest = GuestRig.running(0, TdConfig.FLAG_NO_RBP_MOD, 1);
        long[] seen = new long[1];
        modest.enter(
                GuestRig.once(
                        cpu -> seen[0] = GuestRig.tdcall(cpu, TdcallLeaf.VP_VMCALL, 0x20, 0)));
        assertThat(seen[0]).isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RCX));
        Registers host = new Registers().rax(Leaf.VP_ENTER.rax(0)).rcx(modest.vcpus()[0]);
        host.set(Registers.RBP, 77);
        host.set(Registers.RBX, 78);
        modest.rig().machine.seamcall(modest.rig().machine.cpus().getFirst(), host);
        assertThat(host.get(Registers.RBP)).isEqualTo(77);
        assertThat(host.get(Registers.RBX)).isZero();
    }

    @Test
    void nmiWindow_pendingNmi_goesInOnce() {
        rig.must(Leaf.VP_WR, td.vcpus()[0], PEND_NMI, 1, -1L);
        long[] injected = new long[2];
        td.enter(
                GuestRig.once(cpu -> {
                    assertThat(cpu.vmExit(NMI_WINDOW, 0, 0, 0)).isEqualTo(Outcome.EXCEPTION);
                    injected[0] = ((GuestCpu) cpu).injected();
                    assertThat(cpu.vmExit(NMI_WINDOW, 0, 0, 0)).isEqualTo(Outcome.DONE);
                    injected[1] = ((GuestCpu) cpu).injected();
                }));
        assertThat(injected).containsExactly(0x8000_0202L, 0);
    }

    private static void vmcall(GuestMode cpu, long selected) {
        for (int i = 0; i < Registers.COUNT; i++) {
            cpu.gprs().set(i, 0x100 + i);
        }
        cpu.gprs().rax(TdcallLeaf.VP_VMCALL.number()).rcx(selected);
        assertThat(cpu.tdcall()).isEqualTo(Outcome.EXITED);
    }
}
