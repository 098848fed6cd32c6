// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

import static dev.seamlab.seam.abi.PageInfo.LEVEL_2M;
import static dev.seamlab.seam.abi.PageInfo.LEVEL_4K;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.GuestCode;
import dev.seamlab.machine.GuestMode.Access;
import dev.seamlab.machine.GuestMode.Outcome;
import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.TdcallLeaf;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** TDG.MEM.PAGE.ACCEPT against every situation of the Secure EPT (facts: section 8.5). */
class AcceptTest {
    private static final long PAGE = 0x1000;
    private static final long LARGE = 0x20_0000;

    private GuestRig.Running td;
    private GuestRig rig;

    @BeforeEach
    void aTdThatRuns() {
        td = GuestRig.running(0);
        rig = td.rig();
    }

    private long accept(long operand) {
        long[] seen = new long[1];
        td.enter(
                GuestRig.once(cpu ->
                        seen[0] = GuestRig.tdcall(cpu, TdcallLeaf.MEM_PAGE_ACCEPT, operand, 0)));
        return seen[0];
    }

    /** Executes an ACCEPT that is expected to exit; the exit stands in the rig's registers. */
    private Registers acceptThatExits(long operand) {
        long status =
                td.enter(cpu -> {
                    cpu.gprs().clear().rax(TdcallLeaf.MEM_PAGE_ACCEPT.number()).rcx(operand);
                    assertThat(cpu.tdcall()).isEqualTo(Outcome.EXITED);
                });
        assertThat(status).isEqualTo(ExitReason.EPT_VIOLATION);
        assertThat(rig.regs.rcx()).isEqualTo(ExitReason.QUALIFICATION_WRITE);
        return rig.regs;
    }

    private static long details(int requested, int level, SeptEntryState state, boolean leaf) {
        long info = requested | level << 3 | state.publicNumber() << 6 | (leaf ? 1 << 14 : 0);
        return info << 32 | ExitReason.EXTENDED_ACCEPT;
    }

    private SeptEntryState state(long gpa, int level) {
        rig.must(Leaf.MEM_SEPT_RD, gpa | level, rig.tdr);
        int number = (int) (rig.regs.rdx() >>> 8) & 0xFF;
        for (SeptEntryState state : SeptEntryState.values()) {
            if (state.publicNumber() == number) {
                return state;
            }
        }
        throw new AssertionError("no state " + number);
    }

    @Test
    void accept_pending4k_mapsAndZeroes() {
        long hpa = rig.aug(PAGE, LEVEL_4K);
        rig.memory().writeLong(hpa + 8, 0x1234);
        assertThat(accept(PAGE)).isZero();
        assertThat(rig.memory().readLong(hpa + 8)).isZero();
        assertThat(state(PAGE, LEVEL_4K)).isEqualTo(SeptEntryState.MAPPED);
    }

    @Test
    void accept_pending2m_mapsAndZeroesAllOfIt() {
        long hpa = rig.aug(LARGE, LEVEL_2M);
        rig.memory().writeLong(hpa, 1);
        rig.memory().writeLong(hpa + LARGE - 8, 1);
        assertThat(accept(LARGE | LEVEL_2M)).isZero();
        assertThat(rig.memory().readLong(hpa)).isZero();
        assertThat(rig.memory().readLong(hpa + LARGE - 8)).isZero();
        assertThat(state(LARGE, LEVEL_2M)).isEqualTo(SeptEntryState.MAPPED);
    }

    @Test
    void accept_mapped_isAlreadyAccepted() {
        assertThat(accept(0)).isEqualTo(StatusCode.PAGE_ALREADY_ACCEPTED.withDetail(0));
        rig.aug(LARGE, LEVEL_2M);
        assertThat(accept(LARGE | LEVEL_2M)).isZero();
        assertThat(accept(LARGE | LEVEL_2M))
                .isEqualTo(StatusCode.PAGE_ALREADY_ACCEPTED.withDetail(1));
        assertThat(accept(LARGE + PAGE)).isEqualTo(StatusCode.PAGE_ALREADY_ACCEPTED.withDetail(1));
    }

    @Test
    void accept_2mWhereTableIs_isSizeMismatch() {
        assertThat(accept(LEVEL_2M)).isEqualTo(StatusCode.PAGE_SIZE_MISMATCH.withDetail(1));
    }

    @Test
    void accept_nothingMapped_exitsWithLevelOfTheHole() {
        Registers out = acceptThatExits(PAGE);
        assertThat(out.r8()).isEqualTo(PAGE);
        assertThat(out.rdx()).isEqualTo(details(0, 0, SeptEntryState.FREE, false));
        out = acceptThatExits(0x4000_0000L);
        assertThat(out.rdx()).isEqualTo(details(0, 2, SeptEntryState.FREE, false));
        out = acceptThatExits(LARGE | LEVEL_2M);
        assertThat(out.rdx()).isEqualTo(details(1, 1, SeptEntryState.FREE, false));
        assertThat(out.r8()).isEqualTo(LARGE);
    }

    @Test
    void accept_4kOf2mPending_exitsWithTheLargeLeaf() {
        rig.aug(LARGE, LEVEL_2M);
        Registers out = acceptThatExits(LARGE);
        assertThat(out.rdx()).isEqualTo(details(0, 1, SeptEntryState.PENDING, true));
    }

    @Test
    void accept_blocked_exitsWithTheState() {
        rig.aug(PAGE, LEVEL_4K);
        rig.must(Leaf.MEM_RANGE_BLOCK, PAGE, rig.tdr);
        assertThat(acceptThatExits(PAGE).rdx())
                .isEqualTo(details(0, 0, SeptEntryState.PENDING_BLOCKED, true));
        rig.must(Leaf.MEM_RANGE_BLOCK, 0, rig.tdr);
        assertThat(acceptThatExits(0).rdx()).isEqualTo(details(0, 0, SeptEntryState.BLOCKED, true));
    }

    @Test
    void accept_parentBlocked_exitsWithTheParent() {
        rig.must(Leaf.MEM_RANGE_BLOCK, LEVEL_2M, rig.tdr);
        assertThat(acceptThatExits(0).rdx())
                .isEqualTo(details(0, 1, SeptEntryState.NL_BLOCKED, false));
    }

    @ParameterizedTest
    @ValueSource(
            longs = {
                0x1001,
                0x1008,
                0x1002,
                0x1003,
                0x8000_0000_1000L,
                0x8_0000_0000_0000L,
                0x20_1001
            })
    void accept_badOperand_namesRcx(long operand) {
        assertThat(accept(operand)).isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RCX));
    }

    @Test
    void accept_2mInterruptedAfterEveryPage_goesOnWhereItStopped() {
        long hpa = rig.aug(LARGE, LEVEL_2M);
        for (int page = 0; page < 512; page++) {
            rig.memory().writeLong(hpa + page * PAGE, 1);
        }
        LogicalCpu cpu = rig.machine.cpus().getFirst();
        long[] accepted = {-1};
        GuestCode guest =
                g -> {
                    // Pending before the leaf starts, so that it stops after one page.
                    cpu.raiseInterrupt();
                    g.gprs().clear().rax(TdcallLeaf.MEM_PAGE_ACCEPT.number()).rcx(LARGE | LEVEL_2M);
                    if (g.tdcall() == Outcome.DONE) {
                        accepted[0] = g.gprs().rax();
                    }
                };
        for (int done = 1; done <= 512; done++) {
            assertThat(td.enter(guest)).isEqualTo(ExitReason.EXTERNAL_INTERRUPT);
            cpu.acknowledgeInterrupt();
            assertThat(rig.memory().writtenPages()).isEqualTo(written(hpa, done));
            assertThat(state(LARGE, LEVEL_2M))
                    .isEqualTo(done == 512 ? SeptEntryState.MAPPED : SeptEntryState.PENDING);
        }
        assertThat(accepted[0]).isZero();
        assertThat(rig.regs.rcx() & 0x000F_FFFF_FFFF_F000L).isEqualTo(hpa);
    }

    /** Pages the machine stores once the first {@code done} of the large page are zero. */
    private long written(long hpa, int done) {
        long others = rig.memory().writtenPages();
        for (int page = 0; page < 512; page++) {
            boolean left = rig.memory().isWritten((hpa >>> 12) + page);
            assertThat(left).as("page %d", page).isEqualTo(page >= done);
            others -= left ? 1 : 0;
        }
        return others + 512 - done;
    }

    @Test
    void accept_interruptAlreadyPending_exitsBeforeAnyWork() {
        long hpa = rig.aug(LARGE, LEVEL_2M);
        rig.memory().writeLong(hpa, 1);
        rig.machine.cpus().getFirst().raiseInterrupt();
        long status = td.enter(cpu -> GuestRig.accept(cpu, LARGE, LEVEL_2M));
        assertThat(status).isEqualTo(ExitReason.EXTERNAL_INTERRUPT);
        assertThat(rig.memory().readLong(hpa)).isEqualTo(1);
    }

    @Test
    void touch_afterAccept_isDone_andContentsStay() {
        rig.aug(PAGE, LEVEL_4K);
        byte[] data = {1, 2, 3, 4};
        byte[] back = new byte[4];
        td.enter(
                GuestRig.once(cpu -> {
                    assertThat(GuestRig.accept(cpu, PAGE, LEVEL_4K)).isZero();
                    assertThat(cpu.write(PAGE + 16, data, 0, 4)).isEqualTo(Outcome.DONE);
                    assertThat(cpu.touch(PAGE, Access.READ)).isEqualTo(Outcome.DONE);
                    assertThat(cpu.read(PAGE + 16, back, 0, 4)).isEqualTo(Outcome.DONE);
                }));
        assertThat(back).isEqualTo(data);
    }
}
