// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.SlotRwLock;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A VM without TDX on a host with it: memslots with plain memory, an EPT that KVM writes itself,
 * vCPUs that fault pages in. It has no KeyID, no private memory and no fault pool, and it never
 * issues a SEAMCALL: its pages need no PAMT backing, so they must not take any.
 *
 * <p>What its guests execute is not modelled beyond which page they touch.
 */
public final class OrdinaryVm {
    private static final int LEVELS = 4;

    private final TdxHost host;
    private final Lock slotsLock = new Lock(LockRank.SLOTS);
    private final SlotRwLock mmuLock;
    private final Memslots slots = new Memslots();
    private final Invalidations invalidations = new Invalidations();
    private final List<Vcpu> vcpus = new ArrayList<>();
    private final int maxVcpus;
    private final KvmStats stats;
    private final BackingSource source;

    /** The same kind of tables as a mirror EPT has, only that the CPU walks them themselves. */
    private final MirrorEpt ept = new MirrorEpt(LEVELS);

    /**
     * @param maxVcpus most vCPUs that it will have
     */
    public OrdinaryVm(TdxHost host, int maxVcpus) {
        this.host = host;
        this.maxVcpus = maxVcpus;
        this.mmuLock = new SlotRwLock(LockRank.MMU, maxVcpus);
        this.stats = new KvmStats(maxVcpus);
        this.source = BackingSource.of(host, stats);
    }

    /** Adds guest memory; OK, EINVAL or EEXIST. */
    public int addMemslot(@Gpa long gpa, long size) {
        if (!Addresses.isAligned(gpa | size, Addresses.PAGE_SIZE)
                || size <= 0
                || size >>> Addresses.PAGE_SHIFT > VmMemory.MAX_PAGES
                || gpa < 0
                || gpa + size < gpa) {
            return Errno.EINVAL;
        }
        slotsLock.lock();
        try {
            long from = Addresses.gfn(gpa);
            if (slots.overlaps(from, from + (size >>> Addresses.PAGE_SHIFT), null)) {
                return Errno.EEXIST;
            }
            UserMemoryRegion region = UserMemoryRegion.shared(slots.freeId(), gpa, size, gpa);
            slots.replace(null, new Memslot(region, source));
            return Errno.OK;
        } finally {
            slotsLock.unlock();
        }
    }

    /** A new vCPU; null where there are as many as allowed. One thread builds a VM. */
    public @Nullable Vcpu createVcpu() {
        if (vcpus.size() == maxVcpus) {
            return null;
        }
        Vcpu vcpu = new Vcpu(vcpus.size() + 1);
        vcpus.add(vcpu);
        return vcpu;
    }

    /** Guest pages that are allocated. */
    public long pages() {
        return stats.get(Counter.SHARED_PAGES);
    }

    /** Guest pages that the EPT maps. */
    public long mappedPages() {
        long[] count = new long[1];
        ept.forEach((gfn, level, entry) -> count[0] += MirrorTable.isLeaf(entry) ? 1 : 0);
        return count[0];
    }

    /** Takes the mappings and the memory of a range away (madvise DONTNEED, a balloon). */
    public void discard(@Gpa long gpa, long size) {
        long from = Addresses.gfn(gpa);
        long to = from + (size >>> Addresses.PAGE_SHIFT);
        slotsLock.lock();
        host.stopMachine().enter();
        try {
            mmuLock.writeLock();
            try {
                invalidations.begin();
                for (long gfn = from; gfn < to; gfn++) {
                    MirrorTable table = ept.leafTable(gfn);
                    if (table != null) {
                        table.unhang(MirrorEpt.index(gfn, 0));
                    }
                }
                for (Memslot slot : slots.all()) {
                    long first = Math.max(from, slot.base());
                    long last = Math.min(to, slot.end());
                    if (first < last) {
                        slot.shared().punch(slot.index(first), slot.index(last));
                    }
                }
                invalidations.end();
            } finally {
                mmuLock.writeUnlock();
            }
        } finally {
            host.stopMachine().leave();
            slotsLock.unlock();
        }
    }

    /** Gives everything back; no vCPU may be used any more. */
    public void destroy() {
        for (Memslot slot : slots.all()) {
            discard(Addresses.gpa(slot.base()), (slot.end() - slot.base()) << Addresses.PAGE_SHIFT);
        }
        host.stopMachine().enter();
        try {
            freeTables(ept.root());
            for (Vcpu vcpu : vcpus) {
                vcpu.drain();
            }
        } finally {
            host.stopMachine().leave();
        }
    }

    private void freeTables(MirrorTable table) {
        for (int i = 0; table.level() > 0 && i < MirrorTable.ENTRIES; i++) {
            long entry = table.read(i);
            if (MirrorTable.isPresent(entry)) {
                freeTables(table.child(i));
                host.pages().free(MirrorTable.pfn(entry), PageUse.HOST);
                table.unhang(i);
            }
        }
    }

    /** A vCPU of an ordinary VM. One thread at a time. */
    public final class Vcpu {
        private final int slot;

        /** mmu_shadow_page_cache: pages for EPT tables, filled before the MMU lock is taken. */
        private final Deque<Long> tables = new ArrayDeque<>();

        private Vcpu(int slot) {
            this.slot = slot;
        }

        /**
         * The guest touches a page: an EPT violation where nothing is mapped, served as for shared
         * memory.
         *
         * @return OK; EFAULT without a slot; ENOMEM
         */
        public int touch(@Gpa long gpa) {
            long gfn = Addresses.gfn(gpa);
            host.stopMachine().enter();
            HostCpu cpu = host.cpus().claimAny();
            try {
                int result;
                do {
                    result = fault(cpu, gfn);
                } while (result == FaultPath.RETRY);
                return result;
            } finally {
                host.cpus().release(cpu);
                host.stopMachine().leave();
            }
        }

        private int fault(HostCpu cpu, @Gfn long gfn) {
            while (tables.size() < LEVELS) {
                long page = host.pages().allocate(cpu, PageUse.HOST);
                if (page == PageAllocator.NONE) {
                    return Errno.ENOMEM;
                }
                tables.add(page);
            }
            long sequence = invalidations.sequence();
            Memslot memslot = slots.find(gfn);
            if (memslot == null) {
                return Errno.EFAULT;
            }
            long pfn = memslot.shared().getOrAllocate(cpu, slot, memslot.index(gfn));
            if (pfn == PageAllocator.NONE) {
                return Errno.ENOMEM;
            }
            mmuLock.readLock(slot);
            try {
                return invalidations.isStale(sequence) ? FaultPath.RETRY : map(gfn, pfn);
            } finally {
                mmuLock.readUnlock(slot);
            }
        }

        private int map(@Gfn long gfn, @Pfn long pfn) {
            MirrorTable table = ept.root();
            for (int level = ept.rootLevel(); level > 0; level--) {
                int index = MirrorEpt.index(gfn, level);
                if (table.freeze(index, MirrorTable.EMPTY)) {
                    long page = tables.remove();
                    table.hang(index, new MirrorTable(level - 1, page));
                    table.thaw(index, MirrorTable.table(page));
                } else if (!MirrorTable.isPresent(table.read(index))) {
                    return FaultPath.RETRY;
                }
                table = table.child(index);
            }
            int index = MirrorEpt.index(gfn, 0);
            if (table.freeze(index, MirrorTable.EMPTY)) {
                table.thaw(index, MirrorTable.leaf(pfn));
                return Errno.OK;
            }
            return table.read(index) == MirrorTable.leaf(pfn) ? Errno.OK : FaultPath.RETRY;
        }

        private void drain() {
            for (long page : tables) {
                host.pages().free(page, PageUse.HOST);
            }
            tables.clear();
        }
    }
}
