// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Waits;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.util.ArrayList;
import java.util.List;

/**
 * __tdx_td_init (facts: Linux sheet section 4.6). On failure pages that the module has not taken
 * are freed directly, and the others are reclaimed; never both.
 */
final class TdBuild {
    /** TDX_SEAMCALL_RETRIES: how often KVM repeats what may be repeated. */
    private static final int RETRIES = 10_000;

    private final KvmTdx vm;
    private final TdxHost host;

    private int hkid;
    private @Pfn long tdr = PageAllocator.NONE;
    private boolean created;
    private long hwError;

    /** Pages allocated and not yet given to the module. */
    private final List<Long> mine = new ArrayList<>();

    /** Pages that the module has taken. */
    private final List<Long> taken = new ArrayList<>();

    TdBuild(KvmTdx vm, TdxHost host) {
        this.vm = vm;
        this.host = host;
    }

    /** What the finished TD holds. */
    TdPages pages() {
        return new TdPages(hkid, tdr, taken);
    }

    /** The module's word on the TD's parameters, where it refused them; else 0. */
    long hwError() {
        return hwError;
    }

    int run(TdSetup setup) {
        hkid = host.keyIds().allocate();
        if (hkid < 0) {
            return hkid;
        }
        int result = steps(setup);
        if (result != Errno.OK) {
            unwind();
        }
        return result;
    }

    private int steps(TdSetup setup) {
        int result = allocate();
        if (result == Errno.OK) {
            result = createAndKey();
        }
        if (result == Errno.OK) {
            result = addTdcs();
        }
        return result == Errno.OK ? init(setup) : result;
    }

    private int allocate() {
        HostCpu cpu = vm.claimAny();
        try {
            tdr = host.controlPages().allocate(cpu);
            if (tdr == PageAllocator.NONE) {
                return Errno.ENOMEM;
            }
            for (int i = 0; i < host.info().tdcsPages(); i++) {
                long page = host.controlPages().allocate(cpu);
                if (page == PageAllocator.NONE) {
                    return Errno.ENOMEM;
                }
                mine.add(page);
            }
            return Errno.OK;
        } finally {
            vm.release(cpu);
        }
    }

    private int createAndKey() {
        host.hotplugLock().lock();
        try {
            for (int p = 0; p < host.cpus().packages(); p++) {
                if (!host.cpus().isPackageOnline(p)) {
                    return Errno.EIO;
                }
            }
            host.tdxLock().lock();
            try {
                int result = create();
                for (int p = 0; result == Errno.OK && p < host.cpus().packages(); p++) {
                    result = keyConfig(p);
                }
                return result;
            } finally {
                host.tdxLock().unlock();
            }
        } finally {
            host.hotplugLock().unlock();
        }
    }

    private int create() {
        HostCpu cpu = vm.claimAny();
        try {
            long status = host.tdh().mng().create(cpu, Addresses.hpa(tdr), hkid);
            if (status != Status.SUCCESS) {
                return refused(Leaf.MNG_CREATE, status);
            }
            created = true;
            return Errno.OK;
        } finally {
            vm.release(cpu);
        }
    }

    private int keyConfig(int packageIndex) {
        HostCpu cpu = vm.claimOnPackage(packageIndex);
        try {
            long status = host.tdh().mng().keyConfig(cpu, Addresses.hpa(tdr));
            for (int i = 1; i < RETRIES && StatusCode.KEY_GENERATION_FAILED.matches(status); i++) {
                Waits.pause();
                status = host.tdh().mng().keyConfig(cpu, Addresses.hpa(tdr));
            }
            if (status == Status.SUCCESS) {
                return Errno.OK;
            }
            vm.bug(Leaf.MNG_KEY_CONFIG, status);
            return Errno.EIO;
        } finally {
            vm.release(cpu);
        }
    }

    private int addTdcs() {
        HostCpu cpu = vm.claimAny();
        try {
            while (!mine.isEmpty()) {
                long page = mine.getFirst();
                long status = host.tdh().mng().addcx(cpu, Addresses.hpa(tdr), Addresses.hpa(page));
                if (status != Status.SUCCESS) {
                    return refused(Leaf.MNG_ADDCX, status);
                }
                taken.add(mine.removeFirst());
            }
            return Errno.OK;
        } finally {
            vm.release(cpu);
        }
    }

    private int init(TdSetup setup) {
        HostCpu cpu = vm.claimAny();
        try {
            long buffer = host.pages().allocate(cpu, PageUse.BUFFER);
            if (buffer == PageAllocator.NONE) {
                return Errno.ENOMEM;
            }
            try {
                setup.write(host.machine().memory(), Addresses.hpa(buffer));
                long status = host.tdh().mng().init(cpu, Addresses.hpa(tdr), Addresses.hpa(buffer));
                if (status == Status.SUCCESS) {
                    return Errno.OK;
                }
                if (StatusCode.OPERAND_INVALID.matches(status)) {
                    // The user's fault, and the detail tells which operand: no bug of the VM.
                    vm.note(Leaf.MNG_INIT, status);
                    hwError = status;
                    return Errno.EINVAL;
                }
                vm.bug(Leaf.MNG_INIT, status);
                return Errno.EIO;
            } finally {
                host.pages().free(cpu, buffer, PageUse.BUFFER);
            }
        } finally {
            vm.release(cpu);
        }
    }

    private int refused(Leaf leaf, long status) {
        if (StatusCode.RND_NO_ENTROPY.matches(status)) {
            vm.note(leaf, status);
            return Errno.EAGAIN;
        }
        vm.bug(leaf, status);
        return Errno.EIO;
    }

    private void unwind() {
        HostCpu cpu = vm.claimAny();
        try {
            for (long page : mine) {
                host.controlPages().free(cpu, page);
            }
            mine.clear();
            if (!created) {
                host.controlPages().free(cpu, tdr);
                host.keyIds().free(hkid);
                return;
            }
        } finally {
            vm.release(cpu);
        }
        // The module has the TDR: only a full teardown gets it back. The answer that made the build
        // fail stays the one that is reported.
        ModuleAnswer cause = vm.lastAnswer();
        vm.holds(pages());
        vm.teardown().ofPartlyBuilt();
        if (cause != null) {
            vm.note(cause.leaf(), cause.status());
        }
    }
}
