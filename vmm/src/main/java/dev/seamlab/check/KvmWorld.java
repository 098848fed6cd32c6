// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.host.HostAuditor;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.init.TdxInitException;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.RangeRefcounts;
import dev.seamlab.kvm.KvmAuditor;
import dev.seamlab.kvm.KvmExit;
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
import dev.seamlab.machine.sched.Act;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.SteppedRun;
import dev.seamlab.seam.SeamcallListener;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.pamt.PamtInspector;
import dev.seamlab.vmm.RawMachine;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * TDs of KVM on one host: programs of {@code fault}, {@code zap} and so on. Each TD is finalised,
 * all of its memory is private and nothing is mapped, apart from TDs that the program finalises,
 * and from those that are to be split: these begin with one 2M page, accepted. Each thread has a
 * vCPU of its own in every TD. The host is built anew for each schedule; at its end KVM's books are
 * audited, all TDs are destroyed, and the host must have every page back.
 */
final class KvmWorld implements World {
    private static final long MIB = 1L << 20;
    private static final long RAM_END = 64 * MIB;
    private static final long MEMORY = 2 * MIB;
    private static final int RANGES = (int) (RAM_END >>> Addresses.RANGE_SHIFT);

    /** Schedules from one audit of the whole host to the next: each takes as long as several. */
    private static final int AUDIT_EVERY = 64;

    /** What TDs take, and must have given back when they are gone. */
    private static final List<PageUse> TAKEN_BY_TDS =
            List.of(
                    PageUse.PAMT_PAIR,
                    PageUse.CONTROL,
                    PageUse.SEPT,
                    PageUse.SEPT_READY,
                    PageUse.POOL,
                    PageUse.GUEST_PRIVATE,
                    PageUse.GUEST_SHARED,
                    PageUse.BUFFER,
                    PageUse.LEAKED);

    /** Orders of free blocks below a range. */
    private static final int SMALL_ORDERS = 9;

    /** A zap reserves the pages of two splits, and takes the one it got last as table. */
    private static final int PAGES_BEFORE_TABLE = 9;

    /** Enough for the pages and pools of the other TDs. */
    private static final int PAGES_FOR_OTHERS = 64;

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
    private int schedules;
    private final long[] smallPages = {-1, -1};

    private record Guest(KvmTdx vm, List<KvmVcpu> vcpus, List<AcceptingGuest> codes) {}

    private record Lab(
            TdxHost host, PairLedger ledger, PamtInspector pamt, Calls calls, List<Guest> guests) {}

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
        StringBuilder text =
                new StringBuilder(program.tds() == 1 ? "1 TD" : program.tds() + " TDs");
        text.append(", finalised, memory private and not mapped");
        for (int td = 0; td < program.tds(); td++) {
            if (program.has(Verb.FINALIZE, td)) {
                text.append("; t").append(td).append(": still to be finalised");
            }
            if (program.has(Verb.SPLIT, td)) {
                text.append("; t").append(td).append(": one 2M page, accepted");
            } else if (program.has(Verb.SPLIT)) {
                text.append("; t").append(td).append(": its tables stand");
            }
        }
        refused.forEach(refusal -> text.append("; ").append(refusal));
        return text.toString();
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
        for (int r = 0; r < RANGES; r++) {
            @Pfn long pfn = firstOf(r);
            legend.learn("refcount r" + r, () -> counts.read(pfn));
        }
    }

    private static @Pfn long firstOf(int range) {
        return (long) range * Addresses.PAGES_PER_RANGE;
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
        PairLedger ledger = new PairLedger(RAM_END, Program.MAX_THREADS);
        host.tdh().phymem().setPairListener(ledger);
        List<Guest> guests = new ArrayList<>();
        for (int td = 0; td < program.tds(); td++) {
            guests.add(guest(host, ledger, td));
        }
        if (program.has(Verb.SPLIT)) {
            letPagesComeFromOneRange(host, guests);
        }
        return new Lab(host, ledger, raw.module().pamt(), calls[0], guests);
    }

    private Guest guest(TdxHost host, PairLedger ledger, int td) {
        int vcpus = program.threads().size();
        boolean large = program.has(Verb.SPLIT, td);
        int more = program.count(Verb.CREATE, td);
        KvmTdx vm = variant.vms().make(host, ledger, td + 1, vcpus + more);
        if (large) {
            require(vm.enableLargePages());
        }
        require(vm.addMemslot(0, MEMORY));
        require(vm.initVm(new TdConfig(0, XFAM, GPA_WIDTH)));
        List<KvmVcpu> list = new ArrayList<>();
        List<AcceptingGuest> codes = new ArrayList<>();
        for (int i = 0; i < vcpus; i++) {
            KvmVcpu vcpu = vm.createVcpu();
            if (vcpu == null) {
                throw new IllegalStateException("KVM refuses a vCPU");
            }
            require(vcpu.init(0));
            AcceptingGuest code = new AcceptingGuest();
            vcpu.bindGuest(code);
            list.add(vcpu);
            codes.add(code);
        }
        require(vm.setMemoryAttributes(0, MEMORY, true));
        if (!program.has(Verb.FINALIZE, td)) {
            require(vm.finalizeVm());
        }
        Guest guest = new Guest(vm, list, codes);
        if (large) {
            require(accept(guest, 0, 0, PageInfo.LEVEL_2M));
        }
        return guest;
    }

    /**
     * Arranges pages such that DEMOTE takes its pair out of a range that has no user, while the
     * faults of other TDs give that range its first: their pages were mapped there once, and their
     * tables stand. Of the pages that the split reserves, the last one becomes its table; it lies
     * elsewhere, as get of the table would back the range before DEMOTE.
     */
    private void letPagesComeFromOneRange(TdxHost host, List<Guest> guests) {
        List<Guest> others = new ArrayList<>();
        for (int td = 0; td < guests.size(); td++) {
            if (!program.has(Verb.SPLIT, td)) {
                others.add(guests.get(td));
            }
        }
        others.forEach(other -> require(fault(other, 0, MEMORY - Addresses.PAGE_SIZE)));
        PageAllocator pages = host.pages();
        for (HostCpu listed : host.cpus().all()) {
            HostCpu cpu = host.cpus().claim(listed.index());
            pages.drain(cpu);
            host.cpus().release(cpu);
        }
        List<Long> singles = takeSmallBlocks(pages, 0);
        @Pfn
        long range =
                pages.allocateRange(
                        0, Addresses.PAGES_PER_RANGE, Addresses.PAGES_PER_RANGE, PageUse.HOST);
        // Every other page, because neighbours would merge into blocks that are taken later.
        @Pfn long next = range;
        for (int i = 0; i < PAGES_FOR_OTHERS; i++, next += 2) {
            pages.free(next, PageUse.HOST);
        }
        for (Guest other : others) {
            for (int target = 0; target < program.targets(); target++) {
                @Gpa long gpa = target * Addresses.PAGE_SIZE;
                require(fault(other, 0, gpa));
                require(other.vm.setMemoryAttributes(gpa, Addresses.PAGE_SIZE, false));
                require(other.vm.setMemoryAttributes(gpa, Addresses.PAGE_SIZE, true));
            }
        }
        takeSmallBlocks(pages, 1);
        singles.stream()
                .filter(page -> page % 2 == 0)
                .forEach(page -> pages.free(page, PageUse.HOST));
        for (int i = 0; i < PAGES_BEFORE_TABLE; i++, next += 2) {
            pages.free(next, PageUse.HOST);
        }
    }

    /** Takes all pages that are in blocks below 2M: the allocator hands out the smallest first. */
    private List<Long> takeSmallBlocks(PageAllocator pages, int occasion) {
        long count = smallPages[occasion];
        if (count < 0) {
            // Every schedule begins alike, and counting takes longer than all the rest.
            long[] blocks = pages.freeBlocks();
            count = 0;
            for (int order = 0; order < SMALL_ORDERS; order++) {
                count += blocks[order] << order;
            }
            smallPages[occasion] = count;
        }
        List<Long> taken = new ArrayList<>();
        for (long i = 0; i < count; i++) {
            taken.add(pages.allocate(0, PageUse.HOST));
        }
        return taken;
    }

    private static void require(int result) {
        if (result != Errno.OK) {
            throw new IllegalStateException("the TD cannot be built: " + Errno.name(result));
        }
    }

    private static MachineProfile profile() {
        List<AddressRange> memory = List.of(new AddressRange(MIB, RAM_END));
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
            if (!isExpected(op, result) && refused.isEmpty()) {
                failed.add(op + " returned " + Errno.name(result));
            }
            KvmTdx vm = lab().guests.get(op.td()).vm;
            if (vm.isBugged() && refused.isEmpty()) {
                failed.add(op + " ends, and KVM has given the VM up: " + vm.lastAnswer());
            }
        }
    }

    private static int perform(Guest guest, int thread, Op op) {
        @Gpa long gpa = op.target() * Addresses.PAGE_SIZE;
        return switch (op.verb()) {
            case FAULT -> fault(guest, thread, gpa);
            case ACCEPT -> accept(guest, thread, gpa, PageInfo.LEVEL_4K);
            case ZAP, SPLIT -> guest.vm.setMemoryAttributes(gpa, Addresses.PAGE_SIZE, false);
            case PRIVATE -> guest.vm.setMemoryAttributes(gpa, Addresses.PAGE_SIZE, true);
            case RECLAIM -> guest.vm.punch(gpa, Addresses.PAGE_SIZE, true);
            case CREATE -> create(guest.vm);
            case FINALIZE -> guest.vm.finalizeVm();
            case TERMINATE -> guest.vm.terminate();
            case TEARDOWN -> guest.vm.destroy().isClean() ? Errno.OK : Errno.EIO;
            default -> throw new AssertionError(op + " is no operation on TDs");
        };
    }

    private static int create(KvmTdx vm) {
        KvmVcpu vcpu = vm.createVcpu();
        return vcpu == null ? Errno.EIO : vcpu.init(0);
    }

    private static int fault(Guest guest, int vcpu, @Gpa long gpa) {
        return guest.vcpus.get(vcpu).preFaultMemory(new PreFault(gpa, Addresses.PAGE_SIZE, 0));
    }

    /** Runs the guest until it has accepted a page, or cannot. */
    private static int accept(Guest guest, int vcpu, @Gpa long gpa, int level) {
        AcceptingGuest code = guest.codes.get(vcpu);
        code.accept(gpa, level);
        KvmExit exit = guest.vcpus.get(vcpu).runUntilHalt();
        if (exit instanceof KvmExit.Halted) {
            boolean accepted =
                    code.status() == Status.SUCCESS
                            || StatusCode.PAGE_ALREADY_ACCEPTED.matches(code.status());
            return accepted ? Errno.OK : Errno.EIO;
        }
        if (exit instanceof KvmExit.MemoryFault) {
            return Errno.EFAULT;
        }
        return exit instanceof KvmExit.Failed failure ? failure.errno() : Errno.EIO;
    }

    /**
     * A fault on memory that another thread has made shared goes to user space. A terminated VM is
     * dead, and cannot be terminated while one of its vCPUs is inside an ioctl. While a vCPU is
     * being created the steps of a TD are refused, and once it is finalised it gets no more vCPUs.
     */
    private boolean isExpected(Op op, int result) {
        boolean faults = op.verb() == Verb.FAULT || op.verb() == Verb.ACCEPT;
        boolean terminates = program.has(Verb.TERMINATE, op.td());
        boolean builds = op.verb() == Verb.CREATE || op.verb() == Verb.FINALIZE;
        boolean comesLate = op.verb() == Verb.CREATE && program.has(Verb.FINALIZE, op.td());
        return result == Errno.OK
                || (builds && result == Errno.EBUSY)
                || (comesLate && (result == Errno.EINVAL || result == Errno.EIO))
                || (faults && result == Errno.EFAULT)
                || (terminates && result == Errno.EIO)
                || (op.verb() == Verb.TERMINATE && result == Errno.EBUSY);
    }

    @Override
    public void watch(SteppedRun run, Findings into) {
        if (!log.isEmpty() && refused.isEmpty()) {
            into.add(Rule.REFUSED, log.getFirst());
        }
        if (!failed.isEmpty()) {
            into.add(Rule.FAILED, failed.getFirst());
        }
        if (run.lastAct() == Act.UNLOCK
                && run.lastWhere() instanceof Lock lock
                && lock.rank() == LockRank.PAMT) {
            checkRanges(into);
        }
    }

    /** Nobody is inside pamt_lock: a count above zero means that the pair is there. */
    private void checkRanges(Findings into) {
        Lab now = lab();
        RangeRefcounts counts = now.host.refcounts().orElse(null);
        for (int r = 0; counts != null && r < RANGES; r++) {
            int count = counts.read(firstOf(r));
            if (count > 0 && now.pamt.pair(firstOf(r)) == null) {
                into.add(Rule.I1, "refcount r" + r + " is " + count + ", and no page pair there");
            }
        }
    }

    @Override
    public void settle(Findings into) {
        Lab now = lab();
        now.calls.disarm();
        if (refused.isEmpty()) {
            new KvmAuditor(now.host, now.ledger)
                    .audit(
                            now.guests.stream().map(Guest::vm).toList(),
                            (rule, owner, text) ->
                                    into.add(Rule.AUDIT, "t" + (owner - 1) + ": " + text));
            if (schedules++ % AUDIT_EVERY == 0) {
                HostAuditor.audit(now.host).forEach(finding -> into.add(Rule.AUDIT, finding));
            }
        }
        for (Guest guest : now.guests) {
            guest.vm.destroy();
        }
        checkRanges(into);
        // What is refused for good may be leaked on purpose; what was only busy may not.
        if (refused.stream().allMatch(call -> StatusCode.OPERAND_BUSY.matches(call.status()))) {
            for (PageUse use : TAKEN_BY_TDS) {
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
