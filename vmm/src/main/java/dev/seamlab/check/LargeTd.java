// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.RangeSplits;
import dev.seamlab.kvm.KvmExit;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.kvm.KvmVcpu;
import dev.seamlab.kvm.PairLedger;
import dev.seamlab.kvm.TdConfig;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;

/**
 * A TD with one 2M page, accepted, blocked and tracked: all that is left to do is DEMOTE, past KVM
 * and its books. Good for one schedule.
 */
final class LargeTd {
    private static final long XFAM = 3;
    private static final int GPA_WIDTH = 48;
    private static final long HPA_MASK = 0x000F_FFFF_FFFF_F000L;

    private final TdxHost host;
    private final KvmTdx vm;
    private final @Hpa long tdr;
    private final @Pfn long leaf;
    private final @Pfn long table;

    LargeTd(TdxHost host) {
        this.host = host;
        vm = new KvmTdx(host, new PairLedger(host.machine().profile().memoryEnd(), 64), 1, 1);
        require(vm.enableLargePages());
        require(vm.addMemslot(0, Addresses.RANGE_SIZE));
        require(vm.initVm(new TdConfig(0, XFAM, GPA_WIDTH)));
        KvmVcpu vcpu = vm.createVcpu();
        if (vcpu == null) {
            throw new IllegalStateException("KVM refuses a vCPU");
        }
        require(vcpu.init(0));
        require(vm.setMemoryAttributes(0, Addresses.RANGE_SIZE, true));
        require(vm.finalizeVm());
        AcceptingGuest guest = new AcceptingGuest();
        guest.accept(0, PageInfo.LEVEL_2M);
        vcpu.bindGuest(guest);
        if (!(vcpu.runUntilHalt() instanceof KvmExit.Halted)) {
            throw new IllegalStateException("the guest does not accept its page");
        }
        tdr = vm.tdrAddress();
        HostCpu cpu = host.cpus().claim(0);
        try {
            status(host.tdh().mem().septRd(cpu, tdr, 0, PageInfo.LEVEL_2M));
            leaf = Addresses.pfn(cpu.regs().rcx() & HPA_MASK);
            status(host.tdh().mem().rangeBlock(cpu, tdr, 0, PageInfo.LEVEL_2M));
            status(host.tdh().mem().track(cpu, tdr));
            table = host.pages().allocate(0, PageUse.SEPT);
            if (table == PageAllocator.NONE) {
                throw new IllegalStateException("no page is left");
            }
            require(host.backing().get(cpu, table, host.sleepingPairs(0)));
        } finally {
            host.cpus().release(cpu);
        }
    }

    /** DEMOTE with the host's lock; its status. */
    long demote(HostCpu cpu, RangeSplits splits, @Pfn long pair) {
        return splits.demote(cpu, tdr, 0, table, leaf, new long[] {pair, pair + 1});
    }

    /** Ends a TD whose page was not split. The caller holds no CPU. */
    void destroy() {
        HostCpu cpu = host.cpus().claim(0);
        try {
            host.backing().put(cpu, table);
            host.pages().free(table, PageUse.SEPT);
        } finally {
            host.cpus().release(cpu);
        }
        vm.destroy();
    }

    private static void require(int result) {
        if (result != Errno.OK) {
            throw new IllegalStateException("the TD cannot be built: " + Errno.name(result));
        }
    }

    private static void status(long status) {
        if (status != Status.SUCCESS) {
            throw new IllegalStateException("the TD cannot be built: " + Status.show(status));
        }
    }
}
