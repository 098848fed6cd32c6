// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.mem;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.TestModule;
import dev.seamlab.seam.TestTd;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.core.InterruptModel;
import dev.seamlab.seam.td.TdConfig;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Pages of 1 GiB, five levels of Secure EPT, and promotions that give way (facts: section 5.5). */
class LargePagesTest {
    /** A whole GiB of memory that nothing else uses. */
    private static final long GIB = 6 * Addresses.GIB;

    private static final int CHILDREN = 512;
    private static final long R12 = 0x1111;
    private static final long R13 = 0x2222;
    private static final long LEVEL = 0x7;

    private final Registers regs = new Registers();

    /** Maps the first GiB of the TD as 512 pages of 2 MiB over one GiB of memory. */
    private static void mapAs2m(TestTd td, int pages) {
        td.ok(Leaf.MEM_SEPT_ADD, PageInfo.ofGpa(0, PageInfo.LEVEL_512G), td.tdr(), td.page());
        td.ok(Leaf.MEM_SEPT_ADD, PageInfo.ofGpa(0, PageInfo.LEVEL_1G), td.tdr(), td.page());
        for (int i = 0; i < pages; i++) {
            long at = i * Addresses.RANGE_SIZE;
            td.ok(Leaf.MEM_PAGE_AUG, PageInfo.ofGpa(at, PageInfo.LEVEL_2M), td.tdr(), GIB + at);
        }
    }

    private long call(TestModule module, Leaf leaf, int level, TestTd td, long r8) {
        regs.clear().rax(leaf.number()).rcx(PageInfo.ofGpa(0, level)).rdx(td.tdr()).r8(r8);
        regs.r12(R12).r13(R13);
        return module.call(regs);
    }

    private SeptEntryState stateOf(TestModule module, TestTd td, int level) {
        assertThat(call(module, Leaf.MEM_SEPT_RD, level, td, 0)).isZero();
        long number = regs.rdx() >>> 8 & 0xFF;
        for (SeptEntryState state : SeptEntryState.values()) {
            if (state.publicNumber() == number && (regs.rdx() & LEVEL) == level) {
                return state;
            }
        }
        throw new AssertionError("level " + (regs.rdx() & LEVEL) + ", state " + number);
    }

    private void assertLarge(TestModule module, TestTd td, boolean dynamic) {
        assertThat(stateOf(module, td, PageInfo.LEVEL_1G)).isEqualTo(SeptEntryState.PENDING);
        if (dynamic) {
            regs.clear().rax(Leaf.PHYMEM_PAGE_RDMD.number());
            regs.rcx(PageInfo.ofHpa(GIB, PageInfo.LEVEL_1G));
            assertThat(module.call(regs)).isZero();
            assertThat(regs.rcx()).isEqualTo(PageType.REG.code());
            assertThat(regs.rdx()).isEqualTo(td.tdr());
            assertThat(regs.r8()).isEqualTo(PageInfo.LEVEL_1G);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void promoteTo1g_andDemoteBack_keepTheMemoryAndLeavePairsAlone(boolean dynamic) {
        TestModule module = dynamic ? TestModule.dynamicPamt() : TestModule.staticPamt();
        TestTd td = TestTd.building(module);
        mapAs2m(td, CHILDREN);

        assertThat(call(module, Leaf.MEM_PAGE_PROMOTE, PageInfo.LEVEL_1G, td, 0)).isZero();

        long table = regs.rcx();
        assertThat(Addresses.isAligned(table, Addresses.PAGE_SIZE)).as("a page, no hint").isTrue();
        assertThat(regs.r12()).isEqualTo(R12);
        assertThat(regs.r13()).isEqualTo(R13);
        assertLarge(module, td, dynamic);
        assertThat(Status.show(call(module, Leaf.MEM_PAGE_REMOVE, PageInfo.LEVEL_2M, td, 0)))
                .isEqualTo(Status.show(StatusCode.EPT_WALK_FAILED.with(Operand.RCX)));

        assertThat(call(module, Leaf.MEM_PAGE_DEMOTE, PageInfo.LEVEL_1G, td, table)).isZero();

        assertThat(regs.r12()).isEqualTo(R12);
        assertThat(stateOf(module, td, PageInfo.LEVEL_1G)).isEqualTo(SeptEntryState.NL_MAPPED);
        assertThat(stateOf(module, td, PageInfo.LEVEL_2M)).isEqualTo(SeptEntryState.PENDING);
        for (int i = 0; i < CHILDREN; i++) {
            long at = i * Addresses.RANGE_SIZE;
            regs.clear().rax(Leaf.MEM_PAGE_REMOVE.number()).rdx(td.tdr());
            regs.rcx(PageInfo.ofGpa(at, PageInfo.LEVEL_2M));
            assertThat(module.call(regs)).isZero();
            assertThat(regs.rcx()).isEqualTo(GIB + at);
        }
    }

    @Test
    void remove1g_returnsTheWholePage() {
        TestModule module = TestModule.staticPamt();
        TestTd td = TestTd.building(module);
        mapAs2m(td, CHILDREN);
        assertThat(call(module, Leaf.MEM_PAGE_PROMOTE, PageInfo.LEVEL_1G, td, 0)).isZero();
        assertThat(call(module, Leaf.MEM_PAGE_REMOVE, PageInfo.LEVEL_1G, td, 0)).isZero();
        assertThat(regs.rcx()).isEqualTo(GIB);
    }

    @Test
    void promoteTo1g_withAChildMissing_isRefused() {
        TestModule module = TestModule.staticPamt();
        TestTd td = TestTd.building(module);
        mapAs2m(td, CHILDREN - 1);
        assertThat(Status.show(call(module, Leaf.MEM_PAGE_PROMOTE, PageInfo.LEVEL_1G, td, 0)))
                .isEqualTo(
                        Status.show(StatusCode.EPT_INVALID_PROMOTE_CONDITIONS.with(Operand.RCX)));
    }

    @Test
    void runningTd_promotesAndDemotes1g_afterBlockingAndTracking() {
        TestModule module = TestModule.staticPamt();
        TestTd td = TestTd.runnable(module);
        mapAs2m(td, CHILDREN);
        assertThat(call(module, Leaf.MEM_PAGE_PROMOTE, PageInfo.LEVEL_1G, td, 0))
                .isEqualTo(StatusCode.GPA_RANGE_NOT_BLOCKED.with(Operand.RCX));
        assertThat(call(module, Leaf.MEM_RANGE_BLOCK, PageInfo.LEVEL_1G, td, 0)).isZero();
        assertThat(call(module, Leaf.MEM_PAGE_PROMOTE, PageInfo.LEVEL_1G, td, 0))
                .isEqualTo(StatusCode.TLB_TRACKING_NOT_DONE.with(Operand.RCX));
        td.ok(Leaf.MEM_TRACK, td.tdr(), 0, 0);
        assertThat(call(module, Leaf.MEM_PAGE_PROMOTE, PageInfo.LEVEL_1G, td, 0)).isZero();
        long table = regs.rcx();
        assertLarge(module, td, false);

        assertThat(call(module, Leaf.MEM_RANGE_BLOCK, PageInfo.LEVEL_1G, td, 0)).isZero();
        td.ok(Leaf.MEM_TRACK, td.tdr(), 0, 0);
        assertThat(call(module, Leaf.MEM_PAGE_DEMOTE, PageInfo.LEVEL_1G, td, table)).isZero();
        assertThat(stateOf(module, td, PageInfo.LEVEL_2M)).isEqualTo(SeptEntryState.PENDING);
    }

    /** Runs something while a leaf is at its interruption point. */
    private static final class During implements InterruptModel {
        private BooleanSupplier then = () -> false;
        private boolean running;

        @Override
        public boolean isPending(LogicalCpu cpu, Leaf leaf) {
            if (running) {
                return false;
            }
            running = true;
            try {
                return then.getAsBoolean();
            } finally {
                running = false;
            }
        }

        @Override
        public boolean yieldsToHostPriority() {
            return true;
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {PageInfo.LEVEL_2M, PageInfo.LEVEL_1G})
    void promoteAndDemote_giveWayToAnotherHostCall_andSucceedAfterIt(int level) {
        During during = new During();
        TestModule module = TestModule.with(false, during);
        TestTd td = TestTd.building(module);
        if (level == PageInfo.LEVEL_1G) {
            mapAs2m(td, CHILDREN);
        } else {
            td.addTables(0);
            for (int i = 0; i < CHILDREN; i++) {
                long at = i * Addresses.PAGE_SIZE;
                td.ok(Leaf.MEM_PAGE_AUG, PageInfo.ofGpa(at, 0), td.tdr(), GIB + at);
            }
        }
        long table = givesWay(module, td, Leaf.MEM_PAGE_PROMOTE, level, 0, during);
        givesWay(module, td, Leaf.MEM_PAGE_DEMOTE, level, table, during);
    }

    private long givesWay(
            TestModule module, TestTd td, Leaf leaf, int level, long r8, During during) {
        Registers other = new Registers();
        during.then =
                () -> {
                    other.clear().rax(Leaf.MEM_RANGE_BLOCK.number()).rdx(td.tdr());
                    other.rcx(PageInfo.ofGpa(0, PageInfo.LEVEL_512G));
                    assertThat(module.call(1, other))
                            .isEqualTo(StatusCode.OPERAND_BUSY.with(Operand.SEPT_TREE));
                    return false;
                };
        assertThat(Status.show(call(module, leaf, level, td, r8)))
                .isEqualTo(Status.show(StatusCode.INTERRUPTED_BUSY.word()));
        assertThat(regs.rcx()).isEqualTo(PageInfo.ofGpa(0, level));
        assertThat(regs.rdx()).isEqualTo(td.tdr());
        during.then = () -> true;
        assertThat(call(module, leaf, level, td, r8))
                .as("an interrupt as well")
                .isEqualTo(StatusCode.INTERRUPTED_RESTARTABLE.word());
        // Any host call that gets the lock takes the mark away.
        assertThat(call(module, Leaf.MEM_SEPT_RD, level, td, 0)).isZero();
        during.then = () -> false;
        assertThat(Status.show(call(module, leaf, level, td, r8))).isEqualTo(Status.show(0));
        return regs.rcx();
    }

    @Test
    void fiveLevels_mapTheTopOfAWideAddressSpace() {
        TestModule module = TestModule.staticPamt();
        TestTd td = TestTd.building(module, 0, TdConfig.FLAG_GPAW, 5);
        long gpa = (1L << 51) - Addresses.PAGE_SIZE;
        for (int level = PageInfo.LEVEL_512G + 1; level >= PageInfo.LEVEL_2M; level--) {
            long base = gpa & -PageInfo.sizeOf(level);
            td.ok(Leaf.MEM_SEPT_ADD, PageInfo.ofGpa(base, level), td.tdr(), td.page());
        }
        long page = td.page();
        td.ok(Leaf.MEM_PAGE_AUG, PageInfo.ofGpa(gpa, 0), td.tdr(), page);
        regs.clear().rax(Leaf.MEM_PAGE_REMOVE.number()).rcx(gpa).rdx(td.tdr());
        assertThat(module.call(regs)).isZero();
        assertThat(regs.rcx()).isEqualTo(page);
        long shared = 1L << 51;
        assertThat(module.call(Leaf.MEM_PAGE_AUG, shared, td.tdr(), td.page()))
                .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RCX));
        assertThat(module.call(Leaf.MEM_SEPT_ADD, 5, td.tdr(), td.page()))
                .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RCX));
    }

    @Test
    void fourLevels_knowNoFifth() {
        TestModule module = TestModule.staticPamt();
        TestTd td = TestTd.building(module);
        assertThat(module.call(Leaf.MEM_SEPT_ADD, 4, td.tdr(), td.page()))
                .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RCX));
    }

    @Test
    void debugTd_memoryReadAndWritten_productionTdRefused() {
        TestModule module = TestModule.staticPamt();
        TestTd td = TestTd.building(module, TdConfig.ATTRIBUTE_DEBUG, 0, 4);
        td.addTables(0);
        long source = TestModule.BUFFER + 0x8000;
        module.machine().memory().writeLong(source + 0x10, 0x1122_3344_5566_7788L);
        regs.clear().rax(Leaf.MEM_PAGE_ADD.number()).rdx(td.tdr()).r8(td.page()).r9(source);
        assertThat(module.call(regs)).isZero();

        assertThat(access(module, Leaf.MEM_RD, 0x10, td, 0)).isZero();
        assertThat(regs.r8()).isEqualTo(0x1122_3344_5566_7788L);
        assertThat(access(module, Leaf.MEM_WR, 0x10, td, 42)).isZero();
        assertThat(regs.r8()).as("the value before").isEqualTo(0x1122_3344_5566_7788L);
        assertThat(access(module, Leaf.MEM_RD, 0x10, td, 0)).isZero();
        assertThat(regs.r8()).isEqualTo(42);
        assertThat(regs.rcx() | regs.rdx()).isZero();

        assertThat(access(module, Leaf.MEM_RD, 0x14, td, 0))
                .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RCX));
        assertThat(access(module, Leaf.MEM_RD, 1L << 47, td, 0))
                .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RCX));
        assertThat(access(module, Leaf.MEM_RD, 0x1000, td, 0))
                .isEqualTo(StatusCode.EPT_ENTRY_NOT_PRESENT.with(Operand.RCX));
        assertThat(regs.rcx()).as("a free entry").isEqualTo(Long.MIN_VALUE);
    }

    @Test
    void productionTd_memoryIsNotTheHosts() {
        TestModule module = TestModule.staticPamt();
        TestTd td = TestTd.building(module);
        assertThat(access(module, Leaf.MEM_RD, 0x14, td, 0))
                .isEqualTo(StatusCode.TD_NON_DEBUG.word());
        assertThat(access(module, Leaf.MEM_WR, 0, td, 0)).isEqualTo(StatusCode.TD_NON_DEBUG.word());
    }

    private long access(TestModule module, Leaf leaf, long gpa, TestTd td, long data) {
        regs.clear().rax(leaf.number()).rcx(gpa).rdx(td.tdr()).r8(data);
        return module.call(regs);
    }
}
