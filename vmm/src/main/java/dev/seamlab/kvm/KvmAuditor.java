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
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.abi.Status;
import java.util.List;

/**
 * Recomputes KVM's invariants from ground truth: the mirrors entry by entry against the Secure
 * EPTs, the books of each VM against what its structures hold, and the sum of all VMs against the
 * page allocator. For VMs at rest: stopped, or held by {@link
 * dev.seamlab.host.cpu.StopMachine#whileStopped}.
 *
 * <p>Pages that were leaked on purpose belong to no VM; the allocator knows them as {@link
 * PageUse#LEAKED}.
 */
public final class KvmAuditor {
    /** Receives what must not be. */
    @FunctionalInterface
    public interface Report {
        /** {@code owner} is the VM's number, or {@link PairLedger#NOBODY}. */
        void finding(String rule, int owner, String text);
    }

    private static final long FIELD_CHILD_COUNT = 0x8010_0003_0000_0004L;
    private static final long HPA_MASK = 0x000F_FFFF_FFFF_F000L;
    private static final int MAX_FINDINGS = 100;

    private final TdxHost host;
    private final PairLedger ledger;
    private int found;

    public KvmAuditor(TdxHost host, PairLedger ledger) {
        this.host = host;
        this.ledger = ledger;
    }

    /** Audits all VMs of the host; there must be no other. */
    public void audit(List<KvmTdx> vms, Report report) {
        audit(vms, List.of(), report);
    }

    /** Audits all VMs of the host, TDs and ordinary ones; there must be no other. */
    public void audit(List<KvmTdx> vms, List<OrdinaryVm> ordinary, Report report) {
        Report bounded =
                (rule, owner, text) -> {
                    if (found++ < MAX_FINDINGS) {
                        report.finding(rule, owner, text);
                    }
                };
        long control = 0;
        long sept = 0;
        long gmem = 0;
        long shared = 0;
        long pool = 0;
        long ready = 0;
        for (KvmTdx vm : vms) {
            auditVm(vm, bounded);
            control += vm.books().controlPages();
            sept += vm.stats().get(Counter.SEPT_PAGES);
            gmem += vm.books().gmemPages();
            shared += vm.books().sharedPages();
            pool += vm.books().poolPages();
            ready += vm.books().readyTables();
        }
        for (OrdinaryVm vm : ordinary) {
            shared += vm.pages();
        }
        expect(bounded, PageUse.CONTROL, control);
        expect(bounded, PageUse.SEPT, sept);
        expect(bounded, PageUse.GUEST_PRIVATE, gmem);
        expect(bounded, PageUse.GUEST_SHARED, shared);
        expect(bounded, PageUse.POOL, pool);
        expect(bounded, PageUse.SEPT_READY, ready);
        expect(bounded, PageUse.BUFFER, 0);
        long[] pairs = new long[1];
        ledger.forEach((pfn, owner, cause) -> pairs[0]++);
        expect(bounded, PageUse.PAMT_PAIR, 2 * pairs[0]);
    }

    private void expect(Report report, PageUse use, long pages) {
        long counted = host.pages().usedPages(use);
        if (counted != pages) {
            report.finding(
                    "owned-once",
                    PairLedger.NOBODY,
                    "the allocator counts "
                            + counted
                            + " pages as "
                            + use
                            + ", the VMs hold "
                            + pages);
        }
    }

    private void auditVm(KvmTdx vm, Report report) {
        if (vm.life().stage() == Stage.UNINITIALIZED || vm.life().stage() == Stage.DESTROYED) {
            return;
        }
        if (!vm.hasMirror()) {
            return;
        }
        // Without a KeyID the module does not show the S-EPT any more. The host's audit still asks
        // it page by page who owns what.
        boolean accessible = vm.isAccessible();
        long[] tables = new long[1];
        long[] leaves = new long[1];
        long[] large = new long[1];
        HostCpu cpu = vm.claimAny();
        try {
            vm.mirror()
                    .forEach((gfn, level, entry) -> {
                        if (MirrorTable.isLeaf(entry)) {
                            boolean is2m = level == PageInfo.LEVEL_2M;
                            long pages = is2m ? Addresses.PAGES_PER_RANGE : 1;
                            leaves[0] += pages;
                            large[0] += is2m ? 1 : 0;
                            for (long i = 0; i < pages; i++) {
                                checkLeafPage(vm, gfn + i, MirrorTable.pfn(entry) + i, report);
                            }
                            if (accessible) {
                                checkLeaf(cpu, vm, gfn, level, entry, report);
                            }
                        } else {
                            tables[0]++;
                            if (accessible) {
                                checkTable(cpu, vm, gfn, level, report);
                            }
                        }
                    });
        } finally {
            vm.release(cpu);
        }
        same(report, vm, "S-EPT pages", vm.stats().get(Counter.SEPT_PAGES), tables[0]);
        same(report, vm, "private pages", vm.stats().get(Counter.PRIVATE_PAGES), leaves[0]);
        same(report, vm, "2M leaves", vm.stats().get(Counter.LARGE_LEAVES), large[0]);
        long[] children = accessible ? vm.readFields(FIELD_CHILD_COUNT, 1) : new long[0];
        if (children.length == 1 && vm.stats().get(Counter.LEAKED_PAGES) == 0) {
            // The TDR counts everything but itself; so nothing is in the S-EPT and not in the
            // mirror.
            same(
                    report,
                    vm,
                    "children of the TDR",
                    children[0],
                    vm.books().controlPages() - 1 + tables[0] + leaves[0]);
        }
    }

    private void checkTable(HostCpu cpu, KvmTdx vm, @Gfn long gfn, int level, Report report) {
        long gpa = Addresses.gpa(gfn);
        long status = host.tdh().mem().septRd(cpu, vm.tdr(), gpa, level);
        int state = (int) (cpu.regs().rdx() >>> 8) & 0xFF;
        if (status != Status.SUCCESS || state != SeptEntryState.NL_MAPPED.publicNumber()) {
            report.finding(
                    "mirror-equals-sept",
                    vm.owner(),
                    "the mirror has a table at "
                            + Addresses.show(gpa)
                            + " level "
                            + level
                            + ", the S-EPT answers "
                            + Status.show(status)
                            + " state "
                            + state);
        }
    }

    private void checkLeaf(
            HostCpu cpu, KvmTdx vm, @Gfn long gfn, int level, long entry, Report report) {
        long gpa = Addresses.gpa(gfn);
        long pfn = MirrorTable.pfn(entry);
        long status = host.tdh().mem().septRd(cpu, vm.tdr(), gpa, level);
        int state = (int) (cpu.regs().rdx() >>> 8) & 0xFF;
        boolean present =
                state == SeptEntryState.MAPPED.publicNumber()
                        || state == SeptEntryState.PENDING.publicNumber();
        long hpa = cpu.regs().rcx() & HPA_MASK;
        if (status != Status.SUCCESS || !present || hpa != Addresses.hpa(pfn)) {
            report.finding(
                    "mirror-equals-sept",
                    vm.owner(),
                    "the mirror maps "
                            + Addresses.show(gpa)
                            + " to "
                            + Addresses.show(Addresses.hpa(pfn))
                            + ", the S-EPT answers "
                            + Status.show(status)
                            + " state "
                            + state
                            + " page "
                            + Addresses.show(hpa));
        }
    }

    private static void checkLeafPage(KvmTdx vm, @Gfn long gfn, @Pfn long pfn, Report report) {
        long gpa = Addresses.gpa(gfn);
        Memslot slot = vm.slots().find(gfn);
        if (slot == null || slot.memfd() == null || slot.gmem().peek(slot.index(gfn)) != pfn) {
            report.finding(
                    "mirror-equals-gmem",
                    vm.owner(),
                    Addresses.show(gpa) + " is mapped to a page that guest_memfd does not have");
        } else if (!slot.attributes().isPrivate(slot.index(gfn))) {
            report.finding(
                    "mapped-is-private",
                    vm.owner(),
                    Addresses.show(gpa) + " is mapped as private, but its attribute is shared");
        }
    }

    private static void same(Report report, KvmTdx vm, String what, long counted, long truth) {
        if (counted != truth) {
            report.finding(
                    "books-balance",
                    vm.owner(),
                    what + ": counted " + counted + ", there are " + truth);
        }
    }
}
