// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import org.jspecify.annotations.Nullable;

/**
 * 2M leaves of a VM that was allowed them (facts: Linux sheet section 4.12; in no merged kernel).
 *
 * <p>A fault is mapped at 2M where the guest accepts at 2M, and slot, attributes and guest_memfd's
 * page all cover the range. A 2M leaf holds no count and needs no pair; that is the gain. It is
 * split (BLOCK, TRACK and kick, DEMOTE) when the guest accepts a part of it, and when a part of it
 * becomes shared or is punched. Merging is a step of its own, as khugepaged's is.
 *
 * <p>Everything that changes leaves here happens under MMU held for writing.
 */
final class LargeLeaves implements LeafLevels {
    /** Boundaries of one range that may cut a leaf in two. */
    private static final int SPLITS_PER_RANGE = 2;

    private static final long UNIT = Addresses.PAGES_PER_RANGE;

    private final KvmTdx vm;
    private final TdxHost host;
    private final SplitPool pool;

    LargeLeaves(KvmTdx vm, TdxHost host) {
        this.vm = vm;
        this.host = host;
        this.pool = new SplitPool(host.pages(), 0);
    }

    /** Pages kept ready for splits. */
    SplitPool pool() {
        return pool;
    }

    // ------------------------------------------------------------------ faults

    @Override
    public int levelOf(Memslot slot, @Gfn long gfn, int acceptLevel) {
        if (acceptLevel < PageInfo.LEVEL_2M || !vm.isRunnable()) {
            return PageInfo.LEVEL_4K;
        }
        return covers(slot, firstOf(gfn)) ? PageInfo.LEVEL_2M : PageInfo.LEVEL_4K;
    }

    /** Whether slot, attributes and guest_memfd's page all cover a range. */
    private static boolean covers(Memslot slot, @Gfn long first) {
        return first >= slot.base()
                && first + UNIT <= slot.end()
                // guest_memfd's page must be as aligned as the guest's.
                && slot.hasUnits()
                && slot.attributes().isAllPrivate(slot.index(first));
    }

    @Override
    public int makeRoom(HostCpu cpu, @Gfn long gfn, int acceptLevel) {
        if (acceptLevel != PageInfo.LEVEL_4K || !isLarge(gfn)) {
            return Errno.OK;
        }
        int result = reserve(1);
        if (result != Errno.OK) {
            return result;
        }
        vm.mmuLock().writeLock();
        try {
            return split(cpu, gfn);
        } finally {
            vm.mmuLock().writeUnlock();
            release(1);
        }
    }

    // ------------------------------------------------------------------ zaps

    /** Reserves what {@link #clear} of some ranges may need; MMU is not held. OK or ENOMEM. */
    int reserve(int ranges) {
        return pool.reserve(SPLITS_PER_RANGE * ranges);
    }

    /** Ends a reservation. */
    void release(int ranges) {
        pool.release(SPLITS_PER_RANGE * ranges);
    }

    /**
     * Leaves no 2M leaf in a range: removes those inside, splits those that reach out of it. What
     * is left is for {@link ZapPath}. Without the KeyID nothing can be split, nor translated any
     * more, so there the whole leaf goes.
     *
     * @return OK; EIO where pages had to be leaked
     */
    int clear(HostCpu cpu, Memslot slot, @Gfn long from, @Gfn long to) {
        int result = Errno.OK;
        for (long first = firstOf(from); first < to; first += UNIT) {
            if (isLarge(first)) {
                boolean whole = first >= from && first + UNIT <= to;
                int one =
                        whole || !vm.isAccessible()
                                ? remove(cpu, slot, first)
                                : splitOrLeak(cpu, slot, first);
                result = one == Errno.OK ? result : one;
            }
        }
        return result;
    }

    private int remove(HostCpu cpu, Memslot slot, @Gfn long first) {
        MirrorTable table = tableOf(first);
        int index = MirrorEpt.index(first, PageInfo.LEVEL_2M);
        long entry = table.read(index);
        long page = MirrorTable.pfn(entry);
        table.freeze(index, entry);
        int result = takeOut(cpu, Addresses.gpa(first), page);
        table.thaw(index, MirrorTable.EMPTY);
        vm.stats().add(0, Counter.PRIVATE_PAGES, -UNIT);
        vm.stats().add(0, Counter.LARGE_LEAVES, -1);
        if (result == Errno.OK) {
            vm.stats().count(0, Counter.ZAPS);
        } else {
            leak(slot, first);
        }
        return result;
    }

    /** A leaf that can neither stay nor be split is the module's for ever. */
    private int splitOrLeak(HostCpu cpu, Memslot slot, @Gfn long first) {
        int result = split(cpu, first);
        if (result != Errno.OK) {
            MirrorTable table = tableOf(first);
            int index = MirrorEpt.index(first, PageInfo.LEVEL_2M);
            table.freeze(index, table.read(index));
            table.thaw(index, MirrorTable.EMPTY);
            vm.stats().add(0, Counter.PRIVATE_PAGES, -UNIT);
            vm.stats().add(0, Counter.LARGE_LEAVES, -1);
            leak(slot, first);
        }
        return result;
    }

    private void leak(Memslot slot, @Gfn long first) {
        for (long i = 0; i < UNIT; i++) {
            slot.gmem().leak(slot.index(first) + i);
        }
        vm.stats().add(0, Counter.LEAKED_PAGES, UNIT);
    }

    private int takeOut(HostCpu cpu, @Gpa long gpa, @Pfn long page) {
        if (!vm.hasKeyId()) {
            return reclaim(cpu, page);
        }
        int result = blockAndTrack(cpu, gpa);
        if (result != Errno.OK) {
            return result;
        }
        long status =
                withGuestsOut(
                        () -> host.tdh().mem().pageRemove(cpu, vm.tdr(), gpa, PageInfo.LEVEL_2M));
        if (status != Status.SUCCESS) {
            return bug(Leaf.MEM_PAGE_REMOVE, status);
        }
        for (long i = 0; i < UNIT; i++) {
            result = writeBack(cpu, page + i);
            if (result != Errno.OK) {
                return result;
            }
        }
        return Errno.OK; // no put: a 2M leaf holds no count
    }

    private int reclaim(HostCpu cpu, @Pfn long page) {
        long status = host.tdh().phymem().pageReclaim(cpu, Addresses.hpa(page));
        if (status != Status.SUCCESS) {
            return bug(Leaf.PHYMEM_PAGE_RECLAIM, status);
        }
        for (long i = 0; i < UNIT; i++) {
            host.pageReset().reset(page + i);
        }
        return Errno.OK;
    }

    // ------------------------------------------------------------------ split and merge

    /** Splits the 2M leaf that covers a guest page, if one does, with pages reserved before. */
    int split(HostCpu cpu, @Gfn long gfn) {
        assert LockRank.Held.isHeld(LockRank.MMU);
        if (!isLarge(gfn)) {
            return Errno.OK;
        }
        long first = firstOf(gfn);
        MirrorTable parent = tableOf(first);
        int index = MirrorEpt.index(first, PageInfo.LEVEL_2M);
        long entry = parent.read(index);
        long page = MirrorTable.pfn(entry);
        long table = pool.takeTable();
        parent.freeze(index, entry);
        int result = demote(cpu, Addresses.gpa(first), table, page);
        if (result == Errno.OK) {
            parent.hang(index, MirrorTable.ofLeaves(table, page));
            parent.thaw(index, MirrorTable.table(table));
            vm.stats().count(0, Counter.SEPT_PAGES);
            vm.stats().add(0, Counter.LARGE_LEAVES, -1);
            vm.stats().count(0, Counter.DEMOTES);
        } else {
            parent.thaw(index, entry);
            host.pages().free(table, PageUse.SEPT);
        }
        return result;
    }

    private int demote(HostCpu cpu, @Gpa long gpa, @Pfn long table, @Pfn long page) {
        vm.worksOn(cpu, PageUse.SEPT);
        int result = host.backing().get(cpu, table, pool);
        if (result != Errno.OK) {
            return result;
        }
        long[] pair = new long[2];
        if (host.splits().needsPair()) {
            pool.take(pair);
        }
        result = blockAndTrack(cpu, gpa);
        if (result == Errno.OK) {
            vm.worksOn(cpu, PageUse.GUEST_PRIVATE);
            long status =
                    uninterrupted(
                            cpu, () -> host.splits().demote(cpu, vm.tdr(), gpa, table, page, pair));
            result = status == Status.SUCCESS ? Errno.OK : bug(Leaf.MEM_PAGE_DEMOTE, status);
        }
        if (result != Errno.OK) {
            host.backing().put(cpu, table);
            if (host.splits().needsPair()) {
                host.pages().free(pair[0], PageUse.PAMT_PAIR);
                host.pages().free(pair[1], PageUse.PAMT_PAIR);
            }
        }
        return result;
    }

    /**
     * Merges the 512 leaves that cover a range into one, where they are contiguous. MMU is held for
     * writing.
     *
     * @return OK; EINVAL where slot or mirror say that they cannot be merged, EAGAIN where the
     *     module does (pages in different states); EIO
     */
    int merge(HostCpu cpu, @Gfn long gfn) {
        assert LockRank.Held.isHeld(LockRank.MMU);
        long first = firstOf(gfn);
        Memslot slot = vm.slots().find(first);
        if (slot == null || !covers(slot, first)) {
            return Errno.EINVAL; // no leaf may reach out of its slot
        }
        MirrorTable parent = vm.mirror().table(first, PageInfo.LEVEL_2M);
        int index = MirrorEpt.index(first, PageInfo.LEVEL_2M);
        long entry = parent == null ? MirrorTable.EMPTY : parent.read(index);
        if (parent == null || !MirrorTable.isPresent(entry) || MirrorTable.isLeaf(entry)) {
            return Errno.EINVAL;
        }
        MirrorTable child = parent.child(index);
        long page = child.contiguousFrom();
        if (page == 0 || page % UNIT != 0) {
            return Errno.EINVAL;
        }
        parent.freeze(index, entry);
        int result = promote(cpu, Addresses.gpa(first), page);
        if (result != Errno.OK) {
            parent.thaw(index, entry);
            return result;
        }
        parent.unhangFrozen(index);
        vm.mirror().reshaped();
        parent.thaw(index, MirrorTable.leaf(page));
        vm.stats().add(0, Counter.SEPT_PAGES, -1);
        vm.stats().count(0, Counter.LARGE_LEAVES);
        vm.stats().count(0, Counter.PROMOTES);
        return giveBack(cpu, child.externalPage());
    }

    private int promote(HostCpu cpu, @Gpa long gpa, @Pfn long page) {
        int result = blockAndTrack(cpu, gpa);
        if (result != Errno.OK) {
            return result;
        }
        long status = uninterrupted(cpu, () -> host.splits().promote(cpu, vm.tdr(), gpa, page));
        if (status == Status.SUCCESS) {
            return Errno.OK;
        }
        if (!StatusCode.EPT_INVALID_PROMOTE_CONDITIONS.matches(status)) {
            return bug(Leaf.MEM_PAGE_PROMOTE, status);
        }
        vm.note(Leaf.MEM_PAGE_PROMOTE, status);
        status =
                withGuestsOut(
                        () -> host.tdh().mem().rangeUnblock(cpu, vm.tdr(), gpa, PageInfo.LEVEL_2M));
        return status == Status.SUCCESS ? Errno.EAGAIN : bug(Leaf.MEM_RANGE_UNBLOCK, status);
    }

    /** A Secure EPT page that PROMOTE took out of the tree. */
    private int giveBack(HostCpu cpu, @Pfn long table) {
        int result = writeBack(cpu, table);
        if (result == Errno.OK) {
            host.backing().put(cpu, table);
            host.pages().free(table, PageUse.SEPT);
        } else {
            host.pages().retag(table, PageUse.SEPT, PageUse.LEAKED);
            vm.stats().count(0, Counter.LEAKED_PAGES);
        }
        return result;
    }

    // ------------------------------------------------------------------ steps

    private int blockAndTrack(HostCpu cpu, @Gpa long gpa) {
        long status =
                withGuestsOut(
                        () -> host.tdh().mem().rangeBlock(cpu, vm.tdr(), gpa, PageInfo.LEVEL_2M));
        if (status != Status.SUCCESS) {
            return bug(Leaf.MEM_RANGE_BLOCK, status);
        }
        if (vm.isRunnable()) {
            status = withGuestsOut(() -> host.tdh().mem().track(cpu, vm.tdr()));
            if (status != Status.SUCCESS) {
                return bug(Leaf.MEM_TRACK, status);
            }
            vm.kickAll();
        }
        return Errno.OK;
    }

    private int writeBack(HostCpu cpu, @Pfn long page) {
        long status = host.tdh().phymem().pageWbinvd(cpu, Addresses.hpa(page), vm.hkid());
        if (status != Status.SUCCESS) {
            return bug(Leaf.PHYMEM_PAGE_WBINVD, status);
        }
        host.pageReset().reset(page);
        return Errno.OK;
    }

    private interface Call {
        long issue();
    }

    /** As for zaps: BUSY is answered with one more try while no vCPU is in the guest. */
    private long withGuestsOut(Call call) {
        long status = call.issue();
        if (!StatusCode.OPERAND_BUSY.matches(status)
                && !StatusCode.PREVIOUS_TLB_EPOCH_BUSY.matches(status)) {
            return status;
        }
        vm.stats().busy(0, Counter.ZAP_BUSY, status);
        vm.holdEntries(true);
        try {
            vm.kickAll();
            return call.issue();
        } finally {
            vm.holdEntries(false);
        }
    }

    /**
     * DEMOTE and PROMOTE stop for interrupts. The handler runs in between; whoever wanted the CPU
     * finds its interrupt pending again afterwards.
     */
    private long uninterrupted(HostCpu cpu, Call call) {
        long status = withGuestsOut(call);
        boolean interrupted = false;
        while (StatusCode.INTERRUPTED_RESTARTABLE.matches(status)
                || StatusCode.INTERRUPTED_BUSY.matches(status)) {
            interrupted |= cpu.logical().interruptPending();
            cpu.logical().acknowledgeInterrupt();
            status = withGuestsOut(call);
        }
        if (interrupted) {
            cpu.logical().raiseInterrupt();
        }
        return status;
    }

    private int bug(Leaf leaf, long status) {
        vm.bug(leaf, status);
        return Errno.EIO;
    }

    private boolean isLarge(@Gfn long gfn) {
        MirrorTable table = vm.mirror().table(gfn, PageInfo.LEVEL_2M);
        if (table == null) {
            return false;
        }
        long entry = table.read(MirrorEpt.index(gfn, PageInfo.LEVEL_2M));
        return MirrorTable.isPresent(entry) && MirrorTable.isLeaf(entry);
    }

    private MirrorTable tableOf(@Gfn long gfn) {
        @Nullable MirrorTable table = vm.mirror().table(gfn, PageInfo.LEVEL_2M);
        if (table == null) {
            throw new AssertionError("a leaf without table");
        }
        return table;
    }

    private static @Gfn long firstOf(@Gfn long gfn) {
        return gfn & -UNIT;
    }
}
