// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.FaultPool;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.GuestCode;
import dev.seamlab.machine.GuestContext;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.util.ArrayList;
import java.util.List;

/**
 * A vCPU. Its own thread calls {@link #run}; other threads may kick it and ask it to leave. The
 * steps before that come from whoever builds the VM.
 */
public final class KvmVcpu {
    private static final int CHUNKS_PER_PAGE = 16;
    private static final int CHUNK_BYTES = 256;

    private final KvmTdx vm;
    private final TdxHost host;
    private final int index;
    private final Lock mutex = new Lock(LockRank.VCPU);
    private final FaultPool pool;
    private final VcpuMode mode = new VcpuMode();
    private final Registers gprs = new Registers();
    private final VcpuRun run;

    // All guarded by mutex, or by KVM while the VM is torn down.
    private final List<Long> tdcx = new ArrayList<>();
    private @Pfn long tdvpr = PageAllocator.NONE;
    private boolean initialised;
    private boolean bound;
    private int associatedCpu = -1;
    private @Hpa long populateSource;

    KvmVcpu(KvmTdx vm, TdxHost host, int index) {
        this.vm = vm;
        this.host = host;
        this.index = index;
        // a pool exists from the vCPU's first moment, whether it is ever initialised or not.
        this.pool = host.newFaultPool(0);
        this.run = new VcpuRun(vm, this, mode, gprs);
    }

    /** Number of this vCPU in its VM, from 0. */
    public int index() {
        return index;
    }

    /**
     * KVM_TDX_INIT_VCPU (facts: Linux sheet section 4.7).
     *
     * @param initialRcx what the guest finds in RCX and R8: the address of the TD HOB
     */
    public int init(long initialRcx) {
        mutex.lock();
        try {
            if (initialised || vm.state() != KvmTdx.State.INITIALIZED) {
                return Errno.EINVAL;
            }
            HostCpu cpu = vm.claimAny();
            try {
                int result = build(cpu, initialRcx);
                if (result == Errno.OK) {
                    initialised = true;
                    associatedCpu = cpu.index();
                }
                return result;
            } finally {
                vm.release(cpu);
            }
        } finally {
            mutex.unlock();
        }
    }

    private int build(HostCpu cpu, long initialRcx) {
        long root = host.controlPages().allocate(cpu);
        if (root == PageAllocator.NONE) {
            return Errno.ENOMEM;
        }
        List<Long> spare = new ArrayList<>();
        for (int i = 0; i < host.info().tdcxPages(); i++) {
            long page = host.controlPages().allocate(cpu);
            if (page == PageAllocator.NONE) {
                spare.add(root);
                return giveUp(cpu, spare, Errno.ENOMEM);
            }
            spare.add(page);
        }
        long status = host.tdh().vp().create(cpu, vm.tdr(), Addresses.hpa(root));
        if (status != Status.SUCCESS) {
            spare.add(root);
            return giveUp(cpu, spare, bug(Leaf.VP_CREATE, status));
        }
        // From here on the module has the TDVPR; what it has taken stays until the vCPU is freed.
        tdvpr = root;
        while (!spare.isEmpty()) {
            long page = spare.getFirst();
            status = host.tdh().vp().addcx(cpu, tdvprHpa(), Addresses.hpa(page));
            if (status != Status.SUCCESS) {
                return giveUp(cpu, spare, bug(Leaf.VP_ADDCX, status));
            }
            tdcx.add(spare.removeFirst());
        }
        status = host.tdh().vp().init(cpu, tdvprHpa(), initialRcx, index);
        return status == Status.SUCCESS ? Errno.OK : bug(Leaf.VP_INIT, status);
    }

    private int giveUp(HostCpu cpu, List<Long> spare, int result) {
        for (long page : spare) {
            host.controlPages().free(cpu, page);
        }
        return result;
    }

    private int bug(Leaf leaf, long status) {
        vm.bug(leaf, status);
        return Errno.EIO;
    }

    /** Says what the guest executes on this vCPU; before the first {@link #run}. */
    public void bindGuest(GuestCode code) {
        host.machine().bindGuest(tdvprHpa(), new GuestContext(code, vm.sharedEpt()));
        bound = true;
    }

    /** Bytes of one page to be added. */
    @FunctionalInterface
    public interface PageSource {
        /** Fills in page {@code page} of the region. */
        void copy(long page, byte[] into);
    }

    /**
     * KVM_TDX_INIT_MEM_REGION: adds pages with contents, each measured right after it was added
     * where asked (facts: module ABI section 11.2).
     *
     * @return OK; EINVAL for bad order or arguments; EBUSY, ENOMEM, EFAULT, EIO. Pages added so far
     *     stay
     */
    public int initMemRegion(@Gpa long gpa, long pages, boolean measure, PageSource source) {
        if (!Addresses.isAligned(gpa, Addresses.PAGE_SIZE)
                || pages <= 0
                || gpa < 0
                || gpa + (pages << Addresses.PAGE_SHIFT) > 1L << vm.config().sharedBit()) {
            return Errno.EINVAL;
        }
        mutex.lock();
        try {
            if (!initialised || vm.state() != KvmTdx.State.INITIALIZED) {
                return Errno.EINVAL;
            }
            vm.slotsLock().lock();
            try {
                return populate(gpa, pages, measure, source);
            } finally {
                vm.slotsLock().unlock();
            }
        } finally {
            mutex.unlock();
        }
    }

    private int populate(@Gpa long gpa, long pages, boolean measure, PageSource source) {
        byte[] bytes = new byte[(int) Addresses.PAGE_SIZE];
        HostCpu cpu = vm.claimAny();
        long buffer = PageAllocator.NONE;
        try {
            buffer = host.pages().allocate(cpu, PageUse.BUFFER);
            if (buffer == PageAllocator.NONE) {
                return Errno.ENOMEM;
            }
            populateSource = Addresses.hpa(buffer);
            for (long page = 0; page < pages; page++) {
                source.copy(page, bytes);
                host.machine().memory().write(populateSource, bytes, 0, bytes.length);
                int result = addPage(cpu, gpa + (page << Addresses.PAGE_SHIFT), measure);
                if (result != Errno.OK) {
                    return result;
                }
            }
            return Errno.OK;
        } finally {
            if (buffer != PageAllocator.NONE) {
                host.pages().free(cpu, buffer, PageUse.BUFFER);
            }
            vm.release(cpu);
        }
    }

    private int addPage(HostCpu cpu, @Gpa long gpa, boolean measure) {
        int result = vm.faults().attempt(cpu, this, Addresses.gfn(gpa), true);
        if (result != Errno.OK) {
            return result == FaultPath.RETRY ? Errno.EBUSY : result;
        }
        for (int chunk = 0; measure && chunk < CHUNKS_PER_PAGE; chunk++) {
            long status =
                    host.tdh().mng().mrExtend(cpu, vm.tdr(), gpa + (long) chunk * CHUNK_BYTES);
            if (status != Status.SUCCESS) {
                return vm.refused(Leaf.MR_EXTEND, status);
            }
        }
        return Errno.OK;
    }

    /**
     * KVM_PRE_FAULT_MEMORY: maps private pages as their first faults would (facts: Linux sheet
     * section 4.10).
     *
     * @return OK; EOPNOTSUPP before the TD is finalised; EINVAL for bad arguments; EAGAIN where the
     *     vCPU has something else to do first; what the fault answered otherwise. Pages mapped so
     *     far stay
     */
    public int preFault(@Gpa long gpa, long pages) {
        if (!Addresses.isAligned(gpa, Addresses.PAGE_SIZE) || gpa < 0 || pages <= 0) {
            return Errno.EINVAL;
        }
        mutex.lock();
        try {
            if (!initialised || !vm.isRunnable()) {
                return Errno.EOPNOTSUPP;
            }
            HostCpu cpu = vm.claimAny();
            try {
                int result = Errno.OK;
                for (long page = 0; result == Errno.OK && page < pages; page++) {
                    result = vm.faults().handle(cpu, this, Addresses.gfn(gpa) + page, true);
                }
                return result == FaultPath.RETRY ? Errno.EAGAIN : result;
            } finally {
                vm.release(cpu);
            }
        } finally {
            mutex.unlock();
        }
    }

    /**
     * KVM_RUN: executes the guest until user space has something to do. Sleeps while the guest is
     * halted. Exits before that only after {@link #requestExit}.
     */
    public KvmExit run() {
        mutex.lock();
        try {
            if (!initialised || !bound || !vm.isRunnable()) {
                return new KvmExit.Failed(Errno.EINVAL, "KVM_RUN before the TD is finalised");
            }
            return run.run();
        } finally {
            mutex.unlock();
        }
    }

    /**
     * Answers a {@link KvmExit.MapGpa}.
     *
     * @param result OK, or the errno that the conversion ended with
     */
    public void completeMapGpa(int result) {
        mutex.lock();
        try {
            run.completeMapGpa(result);
        } finally {
            mutex.unlock();
        }
    }

    /** Lets {@link #run} return soon with {@link KvmExit.Interrupted}, now or when next called. */
    public void requestExit() {
        mode.requestExit();
        mode.kick(host.machine());
        mode.wake();
    }

    /** Takes {@link #requestExit} back; only while the vCPU is not running. */
    public void allowRun() {
        mode.allowRun();
    }

    /** Whether the guest is halted and sleeps. */
    public boolean isHalted() {
        return mode.isHalted();
    }

    // ------------------------------------------------------------------ inside KVM

    /** Slot in the MMU lock and the counters; 0 is for threads without a vCPU. */
    int slot() {
        return index + 1;
    }

    FaultPool pool() {
        return pool;
    }

    @Hpa
    long populateSource() {
        return populateSource;
    }

    @Hpa
    long tdvprHpa() {
        return Addresses.hpa(tdvpr);
    }

    int associatedCpu() {
        return associatedCpu;
    }

    /** Whether a fault must not be retried in place. */
    boolean hasEvent(HostCpu cpu) {
        return cpu.logical().interruptPending() || mode.hasRequest();
    }

    /** Wants the vCPU out of the guest once; whether it had to be interrupted. */
    boolean kick() {
        return mode.kick(host.machine());
    }

    void awaitOutside() {
        mode.awaitOutside();
    }

    /** TDH.VP.FLUSH on the CPU that this vCPU is associated with. */
    void flush() {
        if (associatedCpu < 0) {
            return;
        }
        HostCpu cpu = vm.claim(associatedCpu);
        try {
            long status = host.tdh().vp().flush(cpu, tdvprHpa());
            if (status != Status.SUCCESS && !StatusCode.VCPU_NOT_ASSOCIATED.matches(status)) {
                vm.note(Leaf.VP_FLUSH, status);
            }
        } finally {
            vm.release(cpu);
        }
        associatedCpu = -1;
    }

    long controlPages() {
        return (long) tdcx.size() + (tdvpr == PageAllocator.NONE ? 0 : 1);
    }

    long poolPages() {
        return pool.held();
    }

    void unbindGuest() {
        if (bound) {
            host.machine().bindGuest(tdvprHpa(), null);
            bound = false;
        }
    }

    /** Pages that the module holds for this vCPU; they are the caller's now. */
    List<Long> takeControlPages() {
        List<Long> pages = new ArrayList<>(tdcx);
        tdcx.clear();
        if (tdvpr != PageAllocator.NONE) {
            pages.add(tdvpr);
            tdvpr = PageAllocator.NONE;
        }
        initialised = false;
        return pages;
    }

    /** what a pool holds goes back when its vCPU is freed. */
    void drainPool() {
        pool.drain();
    }
}
