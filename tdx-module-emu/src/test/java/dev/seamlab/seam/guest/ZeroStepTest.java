// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.GuestCode;
import dev.seamlab.machine.GuestMode;
import dev.seamlab.machine.GuestMode.Access;
import dev.seamlab.machine.GuestMode.Outcome;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.TdcallLeaf;
import dev.seamlab.seam.lock.SharexLock;
import dev.seamlab.seam.td.EptFaultLog;
import dev.seamlab.seam.td.Tdcs;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** A host that withholds a page for ever: what VP.ENTER does (facts: sections 1.5 and 2.4). */
class ZeroStepTest {
    private static final long PAGE = 0x1234;
    private static final long NOTIFY_ENABLES = 0x9110_0003_0000_0010L;
    private static final long EXCLUSIVE = 1;
    private static final int FAULTS_TO_SUSPICION = EptFaultLog.THRESHOLD + 1;

    private OpenModule module;
    private final GuestRig.Running td =
            GuestRig.running(
                    machine -> {
                        module = new OpenModule(machine);
                        return module;
                    },
                    0,
                    0,
                    1);
    private final GuestRig rig = td.rig();
    private final Registers regs = new Registers();
    private int steps;

    private final GuestCode stuck =
            cpu -> {
                steps++;
                if (cpu.touch(PAGE, Access.READ) == Outcome.DONE) {
                    interrupt(cpu);
                }
            };

    private static void interrupt(GuestMode cpu) {
        cpu.vmExit(ExitReason.EXTERNAL_INTERRUPT, 0, 0, 0x8000_00F0L);
    }

    private long enter() {
        return rig.callWith(regs, 0, Leaf.VP_ENTER, td.vcpus()[0]);
    }

    private Tdcs tdcs() {
        var tdr = Objects.requireNonNull(module.state.tds().get(rig.tdr >>> 12));
        return Objects.requireNonNull(tdr.tdcs());
    }

    private EptFaultLog faults() {
        var vcpu = Objects.requireNonNull(module.state.vcpus().get(td.vcpus()[0] >>> 12));
        return vcpu.context().eptFaults();
    }

    private void makeSuspect(GuestCode code) {
        rig.bind(td.vcpus()[0], code);
        for (int i = 0; i < FAULTS_TO_SUSPICION; i++) {
            assertThat(faults().listed()).as("fault %d", i).isZero();
            assertThat(enter()).isEqualTo(ExitReason.EPT_VIOLATION);
            assertThat(regs.rcx()).as("the access itself").isEqualTo(1);
        }
        assertThat(faults().listed()).isEqualTo(1);
        assertThat(faults().address(0)).isEqualTo(PAGE);
    }

    @Test
    void sameInstructionFaultsTooOften_vcpuDoesNotRun_andTheHostSeesAWriteToThePage() {
        makeSuspect(stuck);
        assertThat(steps).isEqualTo(FAULTS_TO_SUSPICION);
        long epoch = tdcs().epoch().epoch();

        assertThat(enter()).isEqualTo(ExitReason.EPT_VIOLATION);

        assertThat(steps).as("not even one instruction").isEqualTo(FAULTS_TO_SUSPICION);
        assertThat(regs.rcx()).isEqualTo(ExitReason.QUALIFICATION_WRITE);
        assertThat(regs.rdx()).isZero();
        assertThat(regs.r8()).isEqualTo(0x1000);
        assertThat(regs.r9()).isZero();
        assertThat(tdcs().epoch().running((int) epoch & 1)).as("left the epoch").isZero();
        assertThat(SharexLock.isHeld(tdcs().locks()[Tdcs.SEPT_TREE_LOCK])).isFalse();
    }

    @Test
    void pageProvided_vcpuRuns_andIsNoLongerSuspectOnceItGotOn() {
        makeSuspect(stuck);
        rig.aug(0x1000, PageInfo.LEVEL_4K);
        rig.bind(
                td.vcpus()[0],
                cpu -> {
                    Outcome outcome = cpu.touch(PAGE, Access.READ);
                    if (outcome == Outcome.VIRTUALIZATION_EXCEPTION) {
                        assertThat(GuestRig.accept(cpu, 0x1000, 0)).isZero();
                    } else if (outcome == Outcome.DONE) {
                        interrupt(cpu);
                    }
                });

        assertThat(enter()).isEqualTo(ExitReason.EXTERNAL_INTERRUPT);

        assertThat(faults().listed()).isZero();
        assertThat(faults().counted()).isZero();
    }

    @Test
    void secureEptBusy_entryIsBusy_andTheEpochIsLeft() {
        makeSuspect(stuck);
        tdcs().locks()[Tdcs.SEPT_TREE_LOCK] |= EXCLUSIVE;
        long epoch = tdcs().epoch().epoch();

        assertThat(enter()).isEqualTo(StatusCode.OPERAND_BUSY.with(Operand.SEPT_TREE));

        assertThat(tdcs().epoch().running((int) epoch & 1)).isZero();
        tdcs().locks()[Tdcs.SEPT_TREE_LOCK] &= ~EXCLUSIVE;
        assertThat(enter()).isEqualTo(ExitReason.EPT_VIOLATION);
    }

    @Test
    void guestThatGetsOn_isNeverSuspect() {
        int[] done = new int[1];
        rig.bind(
                td.vcpus()[0],
                cpu -> {
                    // One page that is there, then one that is not, always another.
                    assertThat(cpu.touch(0, Access.READ)).isEqualTo(Outcome.DONE);
                    done[0]++;
                    cpu.touch(PAGE, Access.READ);
                });
        for (int i = 0; i < 5 * FAULTS_TO_SUSPICION; i++) {
            assertThat(enter()).isEqualTo(ExitReason.EPT_VIOLATION);
            assertThat(faults().counted()).isEqualTo(1);
        }
        assertThat(done[0]).isEqualTo(5 * FAULTS_TO_SUSPICION);
    }

    @Test
    void guestThatTurnsToAnotherPage_isNeverSuspect() {
        rig.bind(td.vcpus()[0], cpu -> cpu.touch(0x1000L * ++steps, Access.READ));
        for (int i = 0; i < 5 * FAULTS_TO_SUSPICION; i++) {
            assertThat(enter()).isEqualTo(ExitReason.EPT_VIOLATION);
            assertThat(faults().listed()).isZero();
        }
    }

    @Test
    void exitsThatGuestCodeReports_areInstructionsOfTheirOwn() {
        rig.bind(td.vcpus()[0], cpu -> cpu.vmExit(ExitReason.EPT_VIOLATION, 1, PAGE, 0));
        for (int i = 0; i < 5 * FAULTS_TO_SUSPICION; i++) {
            assertThat(enter()).isEqualTo(ExitReason.EPT_VIOLATION);
            assertThat(regs.rcx()).isEqualTo(1);
        }
    }

    @Test
    void namedInstructionOverManyPages_listsThirtyTwoOfThem() {
        rig.bind(
                td.vcpus()[0],
                cpu -> {
                    cpu.instructionPointer(0x4000);
                    cpu.touch(0x1000L * ++steps, Access.READ);
                });
        // The first run moves from nowhere to the instruction.
        int runs = 0;
        while (faults().listed() == 0) {
            runs++;
            assertThat(enter()).isEqualTo(ExitReason.EPT_VIOLATION);
        }
        assertThat(runs).isEqualTo(FAULTS_TO_SUSPICION);
        for (int i = 0; i < 2 * EptFaultLog.CAPACITY; i++) {
            faults().record(0x100_0000L + 0x1000L * i);
        }
        assertThat(faults().listed()).isEqualTo(EptFaultLog.CAPACITY);
        assertThat(enter()).isEqualTo(ExitReason.EPT_VIOLATION);
        assertThat(regs.rcx()).isEqualTo(ExitReason.QUALIFICATION_WRITE);
    }

    @Test
    void notificationAskedFor_guestGetsTheFaultAsAnException() {
        td.enter(
                GuestRig.once(cpu -> {
                    Registers gprs = cpu.gprs().clear();
                    gprs.rax(TdcallLeaf.VM_WR.number()).rdx(NOTIFY_ENABLES).r8(1).r9(1);
                    assertThat(cpu.tdcall()).isEqualTo(Outcome.DONE);
                    assertThat(gprs.rax()).isZero();
                }));
        makeSuspect(stuck);
        rig.aug(0x1000, PageInfo.LEVEL_4K);
        Outcome[] first = new Outcome[1];
        rig.bind(
                td.vcpus()[0],
                GuestRig.once(cpu -> {
                    first[0] = cpu.touch(0, Access.READ);
                    assertThat(GuestRig.tdcall(cpu, TdcallLeaf.VP_VEINFO_GET, 0, 0)).isZero();
                    assertThat(cpu.gprs().rcx()).isEqualTo(ExitReason.EPT_VIOLATION);
                    assertThat(cpu.gprs().r9()).isEqualTo(PAGE);
                    assertThat(cpu.touch(0, Access.READ)).isEqualTo(Outcome.DONE);
                }));

        assertThat(enter()).isEqualTo(ExitReason.EXTERNAL_INTERRUPT);

        assertThat(first[0]).isEqualTo(Outcome.VIRTUALIZATION_EXCEPTION);
    }

    @Test
    void sharedPages_areTheHostsBusiness() {
        rig.bind(td.vcpus()[0], cpu -> cpu.touch(PAGE | GuestRig.SHARED_BIT, Access.READ));
        for (int i = 0; i < 5 * FAULTS_TO_SUSPICION; i++) {
            assertThat(enter()).isEqualTo(ExitReason.EPT_VIOLATION);
            assertThat(faults().counted()).isZero();
        }
    }
}
