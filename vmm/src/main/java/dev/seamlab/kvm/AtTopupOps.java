// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.PamtBacking;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Pfn;
import dev.seamlab.seam.abi.PageInfo;
import org.jspecify.annotations.Nullable;

/**
 * Table pages have their backing before the MMU lock is taken: they come out of their cache ready
 * (v5, and the alternative in the cover letter of v4; facts: Linux sheet section 8.1). When leaves
 * get theirs is {@link LeafBacking}'s choice.
 *
 * <p>What that costs: a cache may keep pairs in ranges that nobody uses, and a table that could not
 * be linked has been backed and is given up again.
 */
final class AtTopupOps implements ExternalSptOps {
    private final KvmTdx vm;
    private final TdxHost host;
    private final PamtBacking backing;
    private final SeptCalls module;
    private final LeafBacking leaves;

    /** By slot; each belongs to its vCPU's thread, and to the teardown afterwards. */
    private final @Nullable BackedTables[] tables;

    AtTopupOps(KvmTdx vm, TdxHost host, LeafBacking leaves, int maxVcpus) {
        this.vm = vm;
        this.host = host;
        this.backing = host.backing();
        this.module = new SeptCalls(vm, host);
        this.leaves = leaves;
        this.tables = new @Nullable BackedTables[maxVcpus + 1];
    }

    @Override
    public int topUp(HostCpu cpu, KvmVcpu vcpu) {
        vm.worksOn(cpu, PageUse.SEPT);
        BackedTables mine = tables(vcpu);
        int before = mine.held();
        int result = mine.topUp(cpu);
        if (mine.held() > before) {
            vm.stats().add(vcpu.slot(), Counter.TABLES_PREPARED, mine.held() - before);
            vm.stats().max(vcpu.slot(), Counter.READY_HIGH_WATER, mine.held());
        }
        return result == Errno.OK ? leaves.topUp(cpu, vcpu) : result;
    }

    @Override
    public int prepareLeaf(HostCpu cpu, KvmVcpu vcpu, int level, @Pfn long page) {
        return level == PageInfo.LEVEL_4K ? leaves.lookedUp(cpu, vcpu, page) : Errno.OK;
    }

    @Override
    public void settle(HostCpu cpu, KvmVcpu vcpu, @Pfn long page) {
        leaves.settle(cpu, vcpu, page);
    }

    @Override
    public @Pfn long takeTable(KvmVcpu vcpu) {
        return tables(vcpu).take();
    }

    @Override
    public void freeTable(HostCpu cpu, @Pfn long table) {
        backing.put(cpu, table);
        host.pages().free(table, PageUse.SEPT);
    }

    @Override
    public int linkTable(HostCpu cpu, KvmVcpu vcpu, @Gfn long gfn, int level, @Pfn long table) {
        return module.addTable(cpu, vcpu, gfn, level, table);
    }

    @Override
    public int setLeaf(HostCpu cpu, KvmVcpu vcpu, @Gfn long gfn, int level, @Pfn long page) {
        if (level != PageInfo.LEVEL_4K) {
            return module.addPage(cpu, vcpu, gfn, level, page); // I4: holds no count
        }
        int result = leaves.beforeMap(cpu, vcpu, page);
        if (result != Errno.OK) {
            return result;
        }
        result = module.addPage(cpu, vcpu, gfn, PageInfo.LEVEL_4K, page);
        leaves.afterMap(cpu, vcpu, page, result == Errno.OK);
        return result;
    }

    @Override
    public void drain(HostCpu cpu, KvmVcpu vcpu) {
        BackedTables mine = tables(vcpu);
        vm.stats().add(0, Counter.TABLES_UNUSED, mine.held());
        mine.drain(cpu);
        vm.stats().add(0, Counter.POOL_UNUSED, vcpu.pool().held());
        vcpu.pool().drain();
    }

    @Override
    public int readyTables(KvmVcpu vcpu) {
        return tables(vcpu).held();
    }

    private BackedTables tables(KvmVcpu vcpu) {
        BackedTables known = tables[vcpu.slot()];
        if (known == null) {
            known = new BackedTables(host, 0);
            tables[vcpu.slot()] = known;
        }
        return known;
    }
}
