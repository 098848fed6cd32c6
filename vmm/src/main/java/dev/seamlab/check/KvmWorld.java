// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.host.HostAuditor;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.init.TdxInitException;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.RangeRefcounts;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.kvm.KvmVcpu;
import dev.seamlab.kvm.PairLedger;
import dev.seamlab.kvm.PreFault;
import dev.seamlab.kvm.TdConfig;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.KeyIdPartition;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.machine.profile.NumaNode;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.SteppedRun;
import dev.seamlab.seam.SeamcallListener;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.vmm.RawMachine;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * TDs of KVM on one host: programs of {@code fault}, {@code zap} and so on. Each TD is finalised,
 * all of its memory is private and nothing is mapped; each thread has a vCPU of its own in every
 * TD. The host is built anew for each schedule, and all TDs are destroyed at its end.
 */
final class KvmWorld implements World {
    private static final long MIB = 1L << 20;
    private static final long MEMORY = 2 * MIB;
    private static final int NAMED_RANGES = 8;
    private static final int GPA_WIDTH = 48;

    /** x87 and SSE, without which no TD starts. */
    private static final long XFAM = 3;

    private final Variant variant;
    private final Program program;
    private final List<RefusedCall> refused;
    private final Legend legend = new Legend();
    private final List<String> log = new ArrayList<>();
    private final List<String> failed = new ArrayList<>();
    private Narration notes = Narration.NONE;
    private @Nullable Lab lab;

    private record Guest(KvmTdx vm, List<KvmVcpu> vcpus) {}

    private record Lab(TdxHost host, Calls calls, List<Guest> guests) {}

    KvmWorld(Variant variant, Program program, List<RefusedCall> refused) {
        this.variant = variant;
        this.program = program;
        this.refused = refused;
    }

    @Override
    public List<String> threads() {
        return program.names();
    }

    @Override
    public String initially() {
        String guests = program.tds() == 1 ? "1 TD" : program.tds() + " TDs";
        return guests + ", finalised, memory private and not mapped";
    }

    @Override
    public Set<LockRank> hidden() {
        return EnumSet.of(LockRank.PAGE_ALLOCATOR);
    }

    @Override
    public Legend legend() {
        return legend;
    }

    @Override
    public void spoil() {
        lab = null;
    }

    @Override
    public boolean reset(Narration narration) {
        Lab now = build();
        lab = now;
        legend.clear();
        now.host.refcounts().ifPresent(this::learn);
        log.clear();
        failed.clear();
        notes = narration;
        now.calls.arm(narration);
        return false;
    }

    private void learn(RangeRefcounts counts) {
        for (int r = 0; r < NAMED_RANGES; r++) {
            @Pfn long pfn = (long) r * Addresses.PAGES_PER_RANGE;
            legend.learn("refcount r" + r, () -> counts.read(pfn));
        }
    }

    private Lab build() {
        RawMachine raw = RawMachine.switchOn(profile(), SeamcallListener.NONE);
        TdxHost host;
        try {
            host = TdxHost.bringUp(raw.machine(), variant.policy(), log::add);
        } catch (TdxInitException e) {
            throw new IllegalStateException("the host does not come up", e);
        }
        Calls[] calls = new Calls[1];
        raw.machine().observe(module -> calls[0] = new Calls(module, refused, KvmWorld::place));
        PairLedger ledger = new PairLedger(96 * MIB, Program.MAX_THREADS);
        List<Guest> guests = new ArrayList<>();
        for (int td = 0; td < program.tds(); td++) {
            guests.add(guest(host, ledger, td + 1));
        }
        return new Lab(host, calls[0], guests);
    }

    private Guest guest(TdxHost host, PairLedger ledger, int owner) {
        int vcpus = program.threads().size();
        KvmTdx vm = new KvmTdx(host, ledger, owner, vcpus);
        require(vm.addMemslot(0, MEMORY));
        require(vm.initVm(new TdConfig(0, XFAM, GPA_WIDTH)));
        List<KvmVcpu> list = new ArrayList<>();
        for (int i = 0; i < vcpus; i++) {
            KvmVcpu vcpu = vm.createVcpu();
            if (vcpu == null) {
                throw new IllegalStateException("KVM refuses a vCPU");
            }
            require(vcpu.init(0));
            list.add(vcpu);
        }
        require(vm.setMemoryAttributes(0, MEMORY, true));
        require(vm.finalizeVm());
        return new Guest(vm, list);
    }

    private static void require(int result) {
        if (result != Errno.OK) {
            throw new IllegalStateException("the TD cannot be built: " + Errno.name(result));
        }
    }

    private static MachineProfile profile() {
        List<AddressRange> memory = List.of(new AddressRange(MIB, 96 * MIB));
        return new MachineProfile(
                "check",
                "",
                1,
                Program.MAX_THREADS,
                46,
                new KeyIdPartition(6, 0, 16),
                List.of(new NumaNode(memory)),
                memory,
                ModuleProfile.V1_5_25,
                false);
    }

    private static String place(long hpa) {
        return "page 0x" + Long.toHexString(hpa & -Addresses.PAGE_SIZE);
    }

    private Lab lab() {
        Lab now = lab;
        if (now == null) {
            throw new IllegalStateException("reset comes first");
        }
        return now;
    }

    @Override
    public void body(int thread) {
        for (Op op : program.threads().get(thread)) {
            if (!notes.isSilent()) {
                notes.note(op + " begins");
            }
            int result = perform(lab().guests.get(op.td()), thread, op);
            if (!notes.isSilent()) {
                notes.note(op + " returns " + Errno.name(result));
            }
            if (!isExpected(op.verb(), result) && refused.isEmpty()) {
                failed.add(op + " returned " + Errno.name(result));
            }
        }
    }

    private static int perform(Guest guest, int thread, Op op) {
        @Gpa long gpa = op.target() * Addresses.PAGE_SIZE;
        return switch (op.verb()) {
            case FAULT ->
                    guest.vcpus
                            .get(thread)
                            .preFaultMemory(new PreFault(gpa, Addresses.PAGE_SIZE, 0));
            case ZAP -> guest.vm.setMemoryAttributes(gpa, Addresses.PAGE_SIZE, false);
            case PRIVATE -> guest.vm.setMemoryAttributes(gpa, Addresses.PAGE_SIZE, true);
            case RECLAIM -> guest.vm.punch(gpa, Addresses.PAGE_SIZE, true);
            case TEARDOWN -> guest.vm.destroy().leakedPages() == 0 ? Errno.OK : Errno.EIO;
            default -> throw new AssertionError(op + " is no operation on TDs");
        };
    }

    /** A fault on memory that another thread has made shared goes to user space. */
    private static boolean isExpected(Verb verb, int result) {
        return result == Errno.OK || (verb == Verb.FAULT && result == Errno.EFAULT);
    }

    @Override
    public void watch(SteppedRun run, Findings into) {
        if (!log.isEmpty() && refused.isEmpty()) {
            into.add(Rule.REFUSED, log.getFirst());
        }
        if (!failed.isEmpty()) {
            into.add(Rule.FAILED, failed.getFirst());
        }
    }

    @Override
    public void settle(Findings into) {
        Lab now = lab();
        now.calls.disarm();
        for (Guest guest : now.guests) {
            guest.vm.destroy();
        }
        // What is refused for good may be leaked on purpose; what was only busy may not.
        if (refused.stream().allMatch(call -> StatusCode.OPERAND_BUSY.matches(call.status()))) {
            for (PageUse use :
                    List.of(
                            PageUse.PAMT_PAIR,
                            PageUse.CONTROL,
                            PageUse.SEPT,
                            PageUse.POOL,
                            PageUse.GUEST_PRIVATE,
                            PageUse.GUEST_SHARED)) {
                long left = now.host.pages().usedPages(use);
                if (left != 0) {
                    into.add(Rule.LEAK, left + " pages of use " + use + " did not come back");
                }
            }
        }
    }

    @Override
    public void audit(Findings into) {
        Lab now = lab();
        settle(into);
        HostAuditor.audit(now.host).forEach(finding -> into.add(Rule.AUDIT, finding));
        spoil();
    }
}
