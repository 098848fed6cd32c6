// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.kvm.VmLife.Stage;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Waits;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.util.List;

/**
 * The end of a TD (facts: Linux sheet section 4.8): flush every vCPU on the CPU it is associated
 * with, release the KeyID, then reclaim leaves, Secure EPT pages, vCPU pages, TDCS pages, and the
 * TDR last.
 *
 * <p>Without the KeyID released nothing can be reclaimed. Steps before this one may have asked for
 * it in vain: the unwinding of a build, and TERMINATE_VM. As in the kernel that is a bug of the VM,
 * the KeyID stays assigned, and destroying asks once more, which helps where VPFLUSHDONE was the
 * call that failed, and is refused by the module where it had succeeded. Refused then too, the
 * KeyID is leaked for ever, and every page that the module holds with it. A page that the module
 * refuses to give back is leaked as well: it becomes {@link PageUse#LEAKED} and keeps its count,
 * because the module may still own it.
 *
 * <p>The work is cut into pieces, none larger than one table of 512 leaves or one 2M leaf. Between
 * pieces the CPU is given back, whoever wants the world stopped gets his turn, and the watcher may
 * stop the work; {@link #run} called again goes on there. All under the VM's KVM lock.
 */
public final class Teardown {
    /**
     * How it ended.
     *
     * @param leakedPages pages that the module may still own, those of a build that failed included
     * @param keyIdLeaked whether the KeyID is lost
     * @param isFinished false where the watcher stopped it
     */
    public record Report(long leakedPages, boolean keyIdLeaked, boolean isFinished) {
        /** Everything came back. */
        public static final Report CLEAN = new Report(0, false, true);

        /** Whether everything came back. */
        public boolean isClean() {
            return equals(CLEAN);
        }
    }

    /** Looks on. */
    @FunctionalInterface
    public interface Watch {
        /** Lets it run to its end. */
        Watch NOBODY = (done, total) -> true;

        /**
         * Called after each piece, without locks but the VM's own.
         *
         * @param done pages given back or leaked so far
         * @param total pages that the module held at the start
         * @return whether to go on
         */
        boolean mayGoOn(long done, long total);
    }

    /** TDX_SEAMCALL_RETRIES: how often KVM repeats a cache write-back that cannot finish. */
    private static final int RETRIES = 10_000;

    private final KvmTdx vm;
    private final TdxHost host;
    private boolean keyIdLeaked;
    private boolean backingsFreed;
    private boolean finished;
    private int vcpusDone;
    private long leaked;
    private long done;
    private long total = -1;

    Teardown(KvmTdx vm, TdxHost host) {
        this.vm = vm;
        this.host = host;
    }

    /** Everything, or as much as the watcher lets it. */
    Report run(Watch watch) {
        if (total < 0) {
            releaseKeyId();
            keyIdLeaked = vm.hasKeyId();
            done = 0;
            total = pagesLeft();
        }
        vm.life().moveTo(Stage.TEARING_DOWN);
        finished = reclaimMirror(watch) && reclaimRest(watch);
        return report();
    }

    /** What has come of it so far. */
    Report report() {
        return new Report(leaked, keyIdLeaked, finished);
    }

    /**
     * A TD whose build failed: no mirror yet. The VM may be built once more, except where its KeyID
     * is not to be had back: then the TD's pages stay with the module until the VM is destroyed.
     */
    void ofPartlyBuilt() {
        releaseKeyId();
        if (vm.hasKeyId()) {
            // KVM leaves it usable where vCPUs are said to be associated. There are none, so that
            // cannot be; a second build would forget this KeyID.
            vm.life().bug();
        } else {
            reclaimTd();
        }
    }

    private long pagesLeft() {
        return vm.stats().get(Counter.PRIVATE_PAGES)
                + vm.stats().get(Counter.SEPT_PAGES)
                + vm.books().controlPages();
    }

    // ------------------------------------------------------------------ the KeyID

    /** Steps 1 to 4, unless they were done: TERMINATE_VM does them early. */
    void releaseKeyId() {
        if (!vm.hasKeyId()) {
            return;
        }
        if (vm.hasMirror()) {
            vm.life().givesKeyUp();
        }
        for (KvmVcpu vcpu : vm.vcpus()) {
            vcpu.flush();
        }
        boolean released;
        host.tdxLock().lock();
        try {
            released = askForKeyId();
        } finally {
            host.tdxLock().unlock();
        }
        if (!released) {
            host.log().line("kvm: KeyID " + vm.hkid() + " of TD " + vm.owner() + " is leaked");
            return;
        }
        TdPages td = vm.pages();
        host.keyIds().free(td.hkid());
        vm.holds(new TdPages(0, td.tdrPfn(), td.tdcs()));
    }

    private boolean askForKeyId() {
        HostCpu cpu = vm.claimAny();
        try {
            long status = host.tdh().mng().vpflushdone(cpu, vm.tdr());
            if (StatusCode.FLUSHVP_NOT_DONE.matches(status)) {
                complain(Leaf.MNG_VPFLUSHDONE, status);
                return false;
            }
            if (status != Status.SUCCESS) {
                vm.bug(Leaf.MNG_VPFLUSHDONE, status);
                return false;
            }
        } finally {
            vm.release(cpu);
        }
        for (int p = 0; p < host.cpus().packages(); p++) {
            writeBackCaches(p);
        }
        cpu = vm.claimAny();
        try {
            long status = host.tdh().mng().keyFreeid(cpu, vm.tdr());
            if (status != Status.SUCCESS) {
                vm.bug(Leaf.MNG_KEY_FREEID, status);
                return false;
            }
            return true;
        } finally {
            vm.release(cpu);
        }
    }

    /** A failure here is only complained about: MNG.KEY.FREEID fails after it. */
    private void writeBackCaches(int packageIndex) {
        HostCpu cpu = vm.claimOnPackage(packageIndex);
        try {
            boolean resume = false;
            long status = host.tdh().phymem().cacheWb(cpu, resume);
            for (int i = 1; i < RETRIES && isUnfinished(status); i++) {
                if (StatusCode.INTERRUPTED_RESUMABLE.matches(status)) {
                    cpu.logical().acknowledgeInterrupt();
                    resume = true;
                } else {
                    Waits.pause();
                }
                status = host.tdh().phymem().cacheWb(cpu, resume);
            }
            // Nothing to write back: another TD's teardown has done it for this one.
            boolean nothing = StatusCode.NO_HKID_READY_TO_WBCACHE.matches(status);
            if (status != Status.SUCCESS && !nothing) {
                complain(Leaf.PHYMEM_CACHE_WB, status);
            }
        } finally {
            vm.release(cpu);
        }
    }

    /** Interrupted, or busy with somebody else's call: repeated (facts: module ABI section 7.5). */
    private static boolean isUnfinished(long status) {
        return StatusCode.INTERRUPTED_RESUMABLE.matches(status)
                || StatusCode.OPERAND_BUSY.matches(status);
    }

    // ------------------------------------------------------------------ guest memory

    /** Leaves and tables, a leaf table at a time. Whether it came to the end. */
    private boolean reclaimMirror(Watch watch) {
        return !vm.hasMirror() || reclaimBelow(vm.mirror().root(), 0, watch);
    }

    private boolean reclaimBelow(MirrorTable table, @Gfn long base, Watch watch) {
        if (table.level() == 0) {
            return !hasLeaves(table) || piece(watch, cpu -> reclaimLeaves(cpu, table, base));
        }
        for (int i = 0; i < MirrorTable.ENTRIES; i++) {
            long entry = table.read(i);
            if (!MirrorTable.isPresent(entry)) {
                continue;
            }
            long gfn = base | (long) i << (9 * table.level());
            int index = i;
            boolean goOn =
                    MirrorTable.isLeaf(entry)
                            ? piece(watch, cpu -> reclaimLeaf(cpu, table, index, gfn))
                            : reclaimBelow(table.child(i), gfn, watch)
                                    && piece(watch, cpu -> reclaimTable(cpu, table, index));
            if (!goOn) {
                return false;
            }
        }
        return true;
    }

    /** A piece that was finished before is not done again, and not told of again. */
    private static boolean hasLeaves(MirrorTable table) {
        for (int i = 0; i < MirrorTable.ENTRIES; i++) {
            if (MirrorTable.isPresent(table.read(i))) {
                return true;
            }
        }
        return false;
    }

    private void reclaimLeaves(HostCpu cpu, MirrorTable table, @Gfn long base) {
        for (int i = 0; i < MirrorTable.ENTRIES; i++) {
            if (MirrorTable.isPresent(table.read(i))) {
                reclaimLeaf(cpu, table, i, base | i);
            }
        }
    }

    private void reclaimLeaf(HostCpu cpu, MirrorTable table, int index, @Gfn long gfn) {
        long page = MirrorTable.pfn(table.read(index));
        boolean large = table.level() == PageInfo.LEVEL_2M;
        long pages = large ? Addresses.PAGES_PER_RANGE : 1;
        table.unhang(index);
        vm.stats().add(0, Counter.PRIVATE_PAGES, -pages);
        vm.stats().add(0, Counter.LARGE_LEAVES, large ? -1 : 0);
        done += pages;
        if (reclaim(cpu, page)) {
            for (long i = 1; i < pages; i++) {
                host.pageReset().reset(page + i);
            }
            if (!large) {
                host.backing().put(cpu, page); // I4: a 2M leaf holds no count
            }
            return; // the pages themselves go back with their guest_memfd
        }
        Memslot slot = vm.slots().find(gfn);
        if (slot == null) {
            throw new AssertionError(
                    Addresses.show(Addresses.gpa(gfn)) + " is mapped without slot");
        }
        for (long i = 0; i < pages; i++) {
            slot.gmem().leak(slot.index(gfn) + i);
            countLeak(page + i);
        }
    }

    private void reclaimTable(HostCpu cpu, MirrorTable parent, int index) {
        long page = MirrorTable.pfn(parent.read(index));
        parent.unhang(index);
        vm.mirror().reshaped();
        vm.stats().add(0, Counter.SEPT_PAGES, -1);
        done++;
        if (reclaim(cpu, page)) {
            host.backing().put(cpu, page);
            host.pages().free(page, PageUse.SEPT);
        } else {
            leak(page, PageUse.SEPT);
        }
    }

    // ------------------------------------------------------------------ control pages

    private boolean reclaimRest(Watch watch) {
        if (!backingsFreed) {
            backingsFreed = true;
            vm.memory().freeAll();
        }
        while (vcpusDone < vm.vcpus().length) {
            KvmVcpu vcpu = vm.vcpus()[vcpusDone++];
            if (!piece(watch, cpu -> reclaimVcpu(cpu, vcpu))) {
                return false;
            }
        }
        reclaimTd();
        LargeLeaves large = vm.large();
        if (large != null) {
            large.pool().drain();
        }
        return true;
    }

    private void reclaimVcpu(HostCpu cpu, KvmVcpu vcpu) {
        vcpu.unbindGuest();
        for (long page : vcpu.takeControlPages()) {
            reclaimControl(cpu, page);
        }
        vm.external().drain(cpu, vcpu);
    }

    private void reclaimTd() {
        HostCpu cpu = vm.claimAny();
        try {
            TdPages td = vm.pages();
            for (long page : td.tdcs()) {
                reclaimControl(cpu, page);
            }
            long tdr = td.tdrPfn();
            if (tdr != 0) {
                done++;
                if (reclaim(cpu, tdr) && flushTdr(cpu, tdr)) {
                    host.controlPages().free(cpu, tdr);
                } else {
                    leak(tdr, PageUse.CONTROL);
                }
            }
            vm.holds(new TdPages(td.hkid(), 0, List.of()));
        } finally {
            vm.release(cpu);
        }
    }

    /** The TDR's lines in the cache are under the module's own KeyID. */
    private boolean flushTdr(HostCpu cpu, @Pfn long tdr) {
        long status = host.tdh().phymem().pageWbinvd(cpu, Addresses.hpa(tdr), host.globalKeyId());
        if (status != Status.SUCCESS) {
            complain(Leaf.PHYMEM_PAGE_WBINVD, status);
            return false;
        }
        host.pageReset().reset(tdr);
        return true;
    }

    private void reclaimControl(HostCpu cpu, @Pfn long page) {
        done++;
        if (reclaim(cpu, page)) {
            host.controlPages().free(cpu, page);
        } else {
            leak(page, PageUse.CONTROL);
        }
    }

    // ------------------------------------------------------------------ pages and pieces

    private interface Piece {
        void work(HostCpu cpu);
    }

    private boolean piece(Watch watch, Piece piece) {
        HostCpu cpu = vm.claimAny();
        try {
            piece.work(cpu);
        } finally {
            vm.release(cpu);
        }
        host.stopMachine().breathe();
        return watch.mayGoOn(done, total);
    }

    /** Takes a page back from the module; whether it was given. */
    private boolean reclaim(HostCpu cpu, @Pfn long page) {
        if (keyIdLeaked) {
            return false; // it would be refused, page by page
        }
        long status = host.tdh().phymem().pageReclaim(cpu, Addresses.hpa(page));
        if (status != Status.SUCCESS) {
            complain(Leaf.PHYMEM_PAGE_RECLAIM, status);
            return false;
        }
        host.pageReset().reset(page);
        return true;
    }

    private void leak(@Pfn long page, PageUse use) {
        host.pages().retag(page, use, PageUse.LEAKED);
        countLeak(page);
    }

    private void countLeak(@Pfn long page) {
        leaked++;
        vm.leaked(page);
    }

    private void complain(Leaf leaf, long status) {
        vm.note(leaf, status);
        host.log().line("kvm: TD " + vm.owner() + " teardown: " + vm.lastAnswer());
    }
}
