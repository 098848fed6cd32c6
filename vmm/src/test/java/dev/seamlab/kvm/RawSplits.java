// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.tdh.MemLeaves;
import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;

/**
 * DEMOTE and PROMOTE of one 2M page, over and over, past KVM and its books, which find the page as
 * it was after each cycle. With or without the lock that {@link dev.seamlab.host.pamt.RangeSplits}
 * holds: the mutant of R-37 is what leaves it out.
 */
public final class RawSplits {
    private final KvmTdx vm;
    private final TdxHost host;
    private final MemLeaves module;
    private final HostCpu cpu;
    private final long gpa;
    private final long table;

    /**
     * @param gpa where a 2M page is mapped; no vCPU runs
     */
    public RawSplits(KvmTdx vm, HostCpu cpu, long gpa) {
        this.vm = vm;
        this.host = vm.host();
        this.module = host.tdh().mem();
        this.cpu = cpu;
        this.gpa = gpa;
        this.table = host.pages().allocate(0, PageUse.SEPT);
        int result = host.backing().get(cpu, table, host.sleepingPairs(0));
        if (result != Errno.OK) {
            throw new AssertionError(Errno.name(result));
        }
    }

    /** One split and merge with this pair. Returns the status of DEMOTE. */
    public long cycle(long[] pair, boolean locked) {
        block();
        long status = locked ? demoteLocked(pair) : demote(pair);
        if (status != Status.SUCCESS) {
            require(module.rangeUnblock(cpu, vm.tdr(), gpa, PageInfo.LEVEL_2M));
            return status;
        }
        block();
        // The merge needs the range alone as well, and is no part of the experiment.
        host.backing().lock().lock();
        try {
            require(module.pagePromote(cpu, vm.tdr(), gpa, PageInfo.LEVEL_2M));
        } finally {
            host.backing().lock().unlock();
        }
        return Status.SUCCESS;
    }

    /** Gives the Secure EPT page back. */
    public void close() {
        host.backing().put(cpu, table);
        host.pages().free(table, PageUse.SEPT);
    }

    private long demoteLocked(long[] pair) {
        host.backing().lock().lock();
        try {
            return demote(pair);
        } finally {
            host.backing().lock().unlock();
        }
    }

    private long demote(long[] pair) {
        return module.pageDemote(
                cpu,
                vm.tdr(),
                gpa,
                Addresses.hpa(table),
                Addresses.hpa(pair[0]),
                Addresses.hpa(pair[1]));
    }

    private void block() {
        require(module.rangeBlock(cpu, vm.tdr(), gpa, PageInfo.LEVEL_2M));
        require(module.track(cpu, vm.tdr()));
    }

    private static void require(long status) {
        if (status != Status.SUCCESS) {
            throw new AssertionError(Status.show(status));
        }
    }
}
