// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Waits;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.util.ArrayList;
import java.util.List;

/**
 * The end of a TD (facts: Linux sheet section 4.8): flush every vCPU on the CPU it is associated
 * with, release the KeyID, then reclaim leaves, Secure EPT pages, vCPU pages, TDCS pages, and the
 * TDR last.
 *
 * <p>Without the KeyID released nothing can be reclaimed: the KeyID is leaked for ever, and every
 * page that the module holds with it.
 */
public final class Teardown {
    /**
     * What could not be taken back.
     *
     * @param leakedPages pages that the module may still own
     * @param keyIdLeaked whether the KeyID is lost
     */
    public record Report(long leakedPages, boolean keyIdLeaked) {
        /** Everything came back. */
        public static final Report CLEAN = new Report(0, false);

        /** Whether everything came back. */
        public boolean isClean() {
            return equals(CLEAN);
        }
    }

    private final KvmTdx vm;
    private final TdxHost host;
    private long leaked;

    Teardown(KvmTdx vm, TdxHost host) {
        this.vm = vm;
        this.host = host;
    }

    Report run() {
        boolean reclaimable = vm.pages().tdrPfn() == 0 || releaseKeyId();
        HostCpu cpu = vm.claimAny();
        try {
            if (vm.state() != KvmTdx.State.UNINITIALIZED) {
                reclaimMirror(cpu, reclaimable);
            }
            freeBackings();
            for (KvmVcpu vcpu : vm.vcpus()) {
                reclaimVcpu(cpu, vcpu, reclaimable);
            }
            reclaimTd(cpu, reclaimable);
            vm.drainSplitPool();
        } finally {
            vm.release(cpu);
        }
        vm.stats().add(0, Counter.LEAKED_PAGES, leaked);
        return new Report(leaked, !reclaimable);
    }

    /** Steps 1 to 4. Returns whether the module let the KeyID go. */
    private boolean releaseKeyId() {
        for (KvmVcpu vcpu : vm.vcpus()) {
            vcpu.flush();
        }
        host.tdxLock().lock();
        try {
            HostCpu cpu = vm.claimAny();
            try {
                long status = host.tdh().mng().vpflushdone(cpu, vm.tdr());
                if (status != Status.SUCCESS) {
                    return leakKeyId(Leaf.MNG_VPFLUSHDONE, status);
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
                    return leakKeyId(Leaf.MNG_KEY_FREEID, status);
                }
            } finally {
                vm.release(cpu);
            }
            host.keyIds().free(vm.hkid());
            return true;
        } finally {
            host.tdxLock().unlock();
        }
    }

    private void writeBackCaches(int packageIndex) {
        HostCpu cpu = vm.claimOnPackage(packageIndex);
        try {
            boolean resume = false;
            long status = host.tdh().phymem().cacheWb(cpu, resume);
            while (isUnfinished(status)) {
                if (StatusCode.INTERRUPTED_RESUMABLE.matches(status)) {
                    cpu.logical().acknowledgeInterrupt();
                    resume = true;
                } else {
                    Waits.pause();
                }
                status = host.tdh().phymem().cacheWb(cpu, resume);
            }
            if (status != Status.SUCCESS) {
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

    private boolean leakKeyId(Leaf leaf, long status) {
        complain(leaf, status);
        host.log().line("kvm: KeyID " + vm.hkid() + " of TD " + vm.owner() + " is leaked");
        return false;
    }

    /** Leaves first, then the tables that held them, lowest level first. */
    private void reclaimMirror(HostCpu cpu, boolean reclaimable) {
        record Table(MirrorTable parent, int index, @Pfn long page) {}
        List<Table> tables = new ArrayList<>();
        MirrorEpt mirror = vm.mirror();
        collect(
                mirror.root(),
                0,
                (parent, index, gfn, entry) -> {
                    if (MirrorTable.isLeaf(entry)) {
                        long pages = reclaimLeaf(cpu, gfn, parent.level(), entry, reclaimable);
                        vm.stats().add(0, Counter.PRIVATE_PAGES, -pages);
                        parent.unhang(index);
                    } else {
                        tables.add(new Table(parent, index, MirrorTable.pfn(entry)));
                    }
                });
        for (Table table : tables.reversed()) {
            boolean back = reclaimable && reclaim(cpu, table.page());
            if (back) {
                host.backing().put(cpu, table.page());
                host.pages().free(table.page(), PageUse.SEPT);
            } else {
                leaked++;
            }
            table.parent().unhang(table.index());
            vm.stats().add(0, Counter.SEPT_PAGES, -1);
        }
        mirror.reshaped();
    }

    private interface EntryVisitor {
        void entry(MirrorTable parent, int index, @Gfn long gfn, long entry);
    }

    private static void collect(MirrorTable table, @Gfn long base, EntryVisitor visitor) {
        for (int i = 0; i < MirrorTable.ENTRIES; i++) {
            long entry = table.read(i);
            if (!MirrorTable.isPresent(entry)) {
                continue;
            }
            long gfn = base | (long) i << (9 * table.level());
            visitor.entry(table, i, gfn, entry);
            if (!MirrorTable.isLeaf(entry)) {
                collect(table.child(i), gfn, visitor);
            }
        }
    }

    /** Returns how many 4K pages the leaf covers. */
    private long reclaimLeaf(
            HostCpu cpu, @Gfn long gfn, int level, long entry, boolean reclaimable) {
        long page = MirrorTable.pfn(entry);
        boolean large = level == PageInfo.LEVEL_2M;
        long pages = large ? Addresses.PAGES_PER_RANGE : 1;
        vm.stats().add(0, Counter.LARGE_LEAVES, large ? -1 : 0);
        if (reclaimable && reclaim(cpu, page)) {
            for (long i = 1; i < pages; i++) {
                host.pageReset().reset(page + i);
            }
            if (!large) {
                host.backing().put(cpu, page); // I4: a 2M leaf holds no count
            }
            return pages; // the pages themselves go back with their guest_memfd
        }
        leaked += pages;
        Memslot slot = vm.slots().find(gfn);
        for (long i = 0; slot != null && i < pages; i++) {
            slot.gmem().leak(slot.index(gfn) + i);
        }
        return pages;
    }

    private void freeBackings() {
        for (Memslot slot : vm.slots().all()) {
            long pages = slot.end() - slot.base();
            slot.gmem().punch(0, pages);
            slot.shared().punch(0, pages);
        }
    }

    private void reclaimVcpu(HostCpu cpu, KvmVcpu vcpu, boolean reclaimable) {
        vcpu.unbindGuest();
        for (long page : vcpu.takeControlPages()) {
            reclaimControl(cpu, page, reclaimable);
        }
        vm.external().drain(cpu, vcpu);
    }

    private void reclaimTd(HostCpu cpu, boolean reclaimable) {
        TdPages td = vm.pages();
        for (long page : td.tdcs()) {
            reclaimControl(cpu, page, reclaimable);
        }
        long tdr = td.tdrPfn();
        if (tdr != 0) {
            boolean back = reclaimable && reclaim(cpu, tdr) && flushTdr(cpu, tdr);
            if (back) {
                host.controlPages().free(cpu, tdr);
            } else {
                leaked++;
            }
        }
        vm.forgetPages(reclaimable ? TdPages.NONE : new TdPages(td.hkid(), 0, List.of()));
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

    private void reclaimControl(HostCpu cpu, @Pfn long page, boolean reclaimable) {
        if (reclaimable && reclaim(cpu, page)) {
            host.controlPages().free(cpu, page);
        } else {
            leaked++;
        }
    }

    private boolean reclaim(HostCpu cpu, @Pfn long page) {
        long status = host.tdh().phymem().pageReclaim(cpu, Addresses.hpa(page));
        if (status != Status.SUCCESS) {
            complain(Leaf.PHYMEM_PAGE_RECLAIM, status);
            return false;
        }
        host.pageReset().reset(page);
        return true;
    }

    private void complain(Leaf leaf, long status) {
        vm.note(leaf, status);
        host.log().line("kvm: TD " + vm.owner() + " teardown: " + vm.lastAnswer());
    }
}
