// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static dev.seamlab.kvm.KvmRig.ok;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.StatusCode;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Removing 2M leaves from living, terminated and dead TDs, also where the module refuses. */
@Timeout(120)
class LargeRemovalTest {
    private static final long AT = 0x20_0000;
    private static final long PAGE = Addresses.PAGE_SIZE;
    private static final long RANGE = Addresses.RANGE_SIZE;
    private static final long UNIT = Addresses.PAGES_PER_RANGE;
    private static final long SEPT_BUSY = StatusCode.OPERAND_BUSY.with(Operand.SEPT_TREE);
    private static final long UNEXPECTED = StatusCode.TD_FATAL.word();

    private final KvmRig rig = new KvmRig();

    @AfterEach
    void close() {
        rig.close();
    }

    /** A running TD with two 2M leaves from {@link #AT}. */
    private KvmTdx withLeaves() {
        KvmTdx vm = allowed();
        ok(vm.addMemslot(0, KvmRig.MEMORY));
        start(vm);
        Prefaults.map(vm, AT, PageInfo.LEVEL_2M);
        Prefaults.map(vm, AT + RANGE, PageInfo.LEVEL_2M);
        assertThat(vm.stats().get(Counter.LARGE_LEAVES)).isEqualTo(2);
        return vm;
    }

    private KvmTdx allowed() {
        KvmTdx vm = rig.vm(1);
        ok(vm.enableLargePages());
        return vm;
    }

    private static void start(KvmTdx vm) {
        ok(vm.initVm(KvmRig.CONFIG));
        ok(KvmRig.vcpu(vm).init(0));
        ok(vm.setMemoryAttributes(0, KvmRig.MEMORY, true));
        ok(vm.finalizeVm());
    }

    @Test
    void zap_busyTwice_leaksTheWholeLeaf_whichHadNoCount() {
        KvmTdx vm = withLeaves();
        rig.faults.refuse(Leaf.MEM_PAGE_REMOVE, 1, 2, SEPT_BUSY);
        assertThat(vm.setMemoryAttributes(AT, RANGE, false)).isEqualTo(Errno.EIO);
        assertThat(vm.isDead()).isTrue();
        assertThat(vm.stats().get(Counter.LEAKED_PAGES)).isEqualTo(UNIT);
        assertThat(rig.used()).containsEntry(PageUse.LEAKED, UNIT);
        assertThat(rig.audit()).isEmpty();
    }

    @Test
    void zap_writeBackRefused_leaksTheWholeLeaf_andTheRestComesBack() {
        KvmTdx vm = withLeaves();
        rig.faults.refuse(Leaf.PHYMEM_PAGE_WBINVD, 7, 1, UNEXPECTED);
        assertThat(vm.punch(AT, RANGE, true)).isEqualTo(Errno.EIO);
        assertThat(rig.used()).containsEntry(PageUse.LEAKED, UNIT);
        assertThat(rig.audit()).isEmpty();
        assertThat(vm.destroy().isClean()).isTrue();
    }

    @Test
    void split_refused_leaksTheLeaf_soThatNoPageOfItIsFreed() {
        KvmTdx vm = withLeaves();
        rig.faults.refuseNext(Leaf.MEM_PAGE_DEMOTE, UNEXPECTED);
        assertThat(vm.punch(AT, PAGE, true)).isEqualTo(Errno.EIO);
        assertThat(vm.isDead()).isTrue();
        assertThat(vm.stats().get(Counter.LARGE_LEAVES)).isEqualTo(1);
        assertThat(rig.used()).containsEntry(PageUse.LEAKED, UNIT);
        assertThat(rig.audit()).isEmpty();
    }

    @Test
    void punchOfAPart_afterTerminate_reclaimsTheWholeLeaf() {
        KvmTdx vm = withLeaves();
        ok(vm.terminate());
        ok(vm.punch(AT, PAGE, true));
        assertThat(rig.faults.calls(Leaf.MEM_PAGE_DEMOTE)).isZero();
        assertThat(vm.stats().get(Counter.LARGE_LEAVES)).isEqualTo(1);
        assertThat(vm.gmemPages()).isEqualTo(2 * UNIT - 1);
        assertThat(rig.audit()).isEmpty();
        assertThat(vm.destroy().isClean()).isTrue();
    }

    @Test
    void collapse_afterTerminate_isRefused() {
        KvmTdx vm = withLeaves();
        ok(vm.terminate());
        assertThat(vm.collapse(AT)).isEqualTo(Errno.EIO);
    }

    /** A leaf that reached out of its slot could not be taken away with the slot. */
    @Test
    void collapse_ofARangeOfTwoSlots_isRefused_alsoWhereTheFileHasItContiguous() {
        KvmTdx vm = allowed();
        GuestMemfd file = memfd(vm, KvmRig.MEMORY);
        ok(vm.setUserMemoryRegion(region(0, KvmRig.MEMORY, file, 0)));
        start(vm);
        Prefaults.map(vm, AT, PageInfo.LEVEL_2M);
        ok(vm.setUserMemoryRegion(region(0, 0, null, 0)));
        long half = AT + RANGE / 2;
        ok(vm.setUserMemoryRegion(region(0, half, file, 0)));
        ok(
                vm.setUserMemoryRegion(
                        new UserMemoryRegion(
                                1, UserMemoryRegion.GUEST_MEMFD, half, RANGE, 0, file, half)));
        ok(vm.vcpus()[0].preFaultMemory(new PreFault(AT, RANGE, 0)));
        assertThat(vm.collapse(AT)).isEqualTo(Errno.EINVAL);
        ok(vm.setUserMemoryRegion(region(0, 0, null, 0)));
        assertThat(rig.audit()).isEmpty();
    }

    @Test
    void slotThatIsDeleted_losesItsLeaves_andTheFileKeepsThePages() {
        KvmTdx vm = allowed();
        GuestMemfd file = memfd(vm, KvmRig.MEMORY);
        ok(vm.setUserMemoryRegion(region(0, KvmRig.MEMORY, file, 0)));
        start(vm);
        Prefaults.map(vm, AT, PageInfo.LEVEL_2M);
        ok(vm.setUserMemoryRegion(region(0, 0, null, 0)));
        assertThat(vm.stats().get(Counter.LARGE_LEAVES)).isZero();
        assertThat(vm.stats().get(Counter.DEMOTES)).isZero();
        assertThat(file.allocatedPages()).isEqualTo(UNIT);
        assertThat(rig.audit()).isEmpty();
    }

    @Test
    void punchOfAFile_splitsTheLeafThatASlotShowsElsewhere() {
        KvmTdx vm = allowed();
        GuestMemfd file = memfd(vm, KvmRig.MEMORY + RANGE);
        ok(vm.setUserMemoryRegion(region(0, KvmRig.MEMORY, file, RANGE)));
        start(vm);
        Prefaults.map(vm, AT, PageInfo.LEVEL_2M);
        assertThat(vm.stats().get(Counter.LARGE_LEAVES)).isEqualTo(1);
        int punch = GuestMemfd.PUNCH_HOLE | GuestMemfd.KEEP_SIZE;
        ok(file.fallocate(punch, AT + RANGE + PAGE, PAGE));
        assertThat(vm.stats().get(Counter.DEMOTES)).isEqualTo(1);
        assertThat(vm.stats().get(Counter.PRIVATE_PAGES)).isEqualTo(UNIT - 1);
        assertThat(file.allocatedPages()).isEqualTo(UNIT - 1);
        assertThat(rig.audit()).isEmpty();
    }

    @Test
    void slotAtAnOddPlaceInItsFile_isMappedAt4k() {
        KvmTdx vm = allowed();
        GuestMemfd file = memfd(vm, KvmRig.MEMORY + RANGE);
        ok(vm.setUserMemoryRegion(region(0, KvmRig.MEMORY, file, PAGE)));
        start(vm);
        Prefaults.map(vm, AT, PageInfo.LEVEL_2M);
        assertThat(vm.stats().get(Counter.LARGE_LEAVES)).isZero();
        assertThat(vm.stats().get(Counter.PRIVATE_PAGES)).isEqualTo(1);
    }

    @Test
    void teardown_stoppedAfterEachPiece_countsALeafAsItsPages() {
        KvmTdx vm = withLeaves();
        long[] last = new long[2];
        int pieces = 0;
        Teardown.Report report;
        do {
            report =
                    vm.destroy((done, total) -> {
                        last[0] = done;
                        last[1] = total;
                        return false;
                    });
            assertThat(rig.audit()).isEmpty();
            pieces++;
        } while (!report.isFinished());
        assertThat(report.leakedPages()).isZero();
        assertThat(pieces).isGreaterThan(3);
        assertThat(last[0]).isGreaterThan(2 * UNIT).isLessThanOrEqualTo(last[1]);
    }

    @Test
    void teardown_reclaimRefused_leaksAllPagesOfTheLeaf() {
        KvmTdx vm = withLeaves();
        rig.faults.refuseNext(Leaf.PHYMEM_PAGE_RECLAIM, UNEXPECTED);
        Teardown.Report report = vm.destroy();
        // The module still counts the leaf, so it keeps the TDR as well.
        assertThat(report.leakedPages()).isEqualTo(UNIT + 1);
        assertThat(rig.used()).containsEntry(PageUse.LEAKED, UNIT + 1);
    }

    private static GuestMemfd memfd(KvmTdx vm, long size) {
        GuestMemfd file = vm.createGuestMemfd(size);
        if (file == null) {
            throw new AssertionError("no file");
        }
        return file;
    }

    private static UserMemoryRegion region(
            long gpa, long size, @Nullable GuestMemfd file, long offset) {
        int flags = file == null ? 0 : UserMemoryRegion.GUEST_MEMFD;
        return new UserMemoryRegion(0, flags, gpa, size, gpa, file, offset);
    }
}
