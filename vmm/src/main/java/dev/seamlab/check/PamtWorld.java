// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.host.HostAuditor;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.init.TdxInitException;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.PairPages;
import dev.seamlab.host.pamt.PairSource;
import dev.seamlab.host.pamt.PamtBacking;
import dev.seamlab.host.pamt.RangeRefcounts;
import dev.seamlab.host.pamt.RangeSplits;
import dev.seamlab.host.tdh.PhymemLeaves;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Machine;
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
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.pamt.PamtInspector;
import dev.seamlab.vmm.RawMachine;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * get and put of one host against the emulated module: programs of {@code get}, {@code put}, {@code
 * add} and {@code demote}. Each thread has a CPU of its own.
 *
 * <p>The page allocator counts as right by itself: its critical sections are part of the step
 * before them, and which page it hands out changes nothing here. Its place in the lock order is
 * checked all the same.
 */
final class PamtWorld implements World {
    private static final long MIB = 1L << 20;
    private static final long FIRST_RANGE = 64 * MIB;
    private static final @Pfn long SCRATCH = Addresses.pfn(FIRST_RANGE - Addresses.RANGE_SIZE);
    private static final @Pfn long OTHER_SCRATCH = SCRATCH - Addresses.PAGES_PER_RANGE;

    private final Variant variant;
    private final Program program;
    private final List<RefusedCall> refused;
    private final int[] initial;
    private final int[] held;
    private final Legend legend = new Legend();
    private final List<String> log = new ArrayList<>();
    private Narration notes = Narration.NONE;
    private @Nullable Lab lab;
    private final List<Lock> pamtLocks = new ArrayList<>();

    // Written by threads between their steps, one at a time.
    private final List<String> failed = new ArrayList<>();
    private final List<String> refusals = new ArrayList<>();
    private int added;

    /** A host that is up. */
    private record Lab(
            TdxHost host,
            PamtBacking backing,
            RangeRefcounts counts,
            PamtInspector pamt,
            Calls calls,
            PairSource pairs,
            RangeSplits splits,
            @Nullable LargeTd largeTd,
            long pairPagesBefore) {}

    /**
     * @param initial users of each range before the program starts; as many as its puts need where
     *     the list is shorter
     */
    PamtWorld(Variant variant, Program program, List<RefusedCall> refused, List<Integer> initial) {
        this.variant = variant;
        this.program = program;
        this.refused = refused;
        if (program.count(Verb.DEMOTE) > 1) {
            throw new IllegalArgumentException("there is one 2M page, so only one demote");
        }
        int ranges = program.targets();
        this.held = new int[ranges];
        this.initial = new int[ranges];
        for (int r = 0; r < ranges; r++) {
            this.initial[r] = r < initial.size() ? initial.get(r) : usersNeeded(program, r);
        }
    }

    /** So many users that no order of the threads can put what nobody has got. */
    private static int usersNeeded(Program program, int range) {
        int needed = 0;
        for (List<Op> thread : program.threads()) {
            int owned = 0;
            int lowest = 0;
            for (Op op : thread) {
                if (op.target() == range) {
                    owned += op.verb() == Verb.GET ? 1 : op.verb() == Verb.PUT ? -1 : 0;
                    lowest = Math.min(lowest, owned);
                }
            }
            needed -= lowest;
        }
        return needed;
    }

    @Override
    public List<String> threads() {
        return program.names();
    }

    @Override
    public String initially() {
        List<String> ranges = new ArrayList<>();
        for (int r = 0; r < initial.length; r++) {
            ranges.add(
                    "r"
                            + r
                            + ": refcount "
                            + initial[r]
                            + (initial[r] > 0 ? ", page pair installed" : ", no page pair"));
        }
        if (program.has(Verb.DEMOTE)) {
            ranges.add("a TD with one 2M page, blocked and tracked");
        }
        refused.forEach(refusal -> ranges.add(refusal.toString()));
        return String.join("; ", ranges);
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

    // ------------------------------------------------------------------ the initial state

    @Override
    public boolean reset(Narration narration) {
        Lab now = lab;
        boolean same = now != null;
        if (now == null) {
            now = build();
            lab = now;
            Arrays.fill(held, 0);
            pamtLocks.clear();
            adjust(now);
            learn(now);
        }
        failed.clear();
        refusals.clear();
        now.calls.disarm();
        forget(now);
        log.clear();
        notes = narration;
        now.calls.arm(narration);
        return same;
    }

    /**
     * What CPUs remember is to be the same before every schedule.
     *
     * <p>The module remembers on each CPU which locks it took where, and takes fewer steps when it
     * wants them again. A call that takes as many as any does makes it remember the same: an ADD
     * that is refused as late as can be, because its second page is in use.
     *
     * <p>The host keeps pages in lists by CPU. Those that other CPUs freed would make the next pair
     * one of other pages, with other bits in the module's bitmap.
     */
    private void forget(Lab now) {
        for (int thread = 0; thread < program.threads().size(); thread++) {
            HostCpu cpu = now.host.cpus().claim(thread);
            try {
                now.host.pages().drain(cpu);
                PhymemLeaves module = now.host.tdh().phymem();
                long added = module.pamtAdd(cpu, SCRATCH, OTHER_SCRATCH + 3, OTHER_SCRATCH + 1);
                if (!StatusCode.PAGE_NOT_FREE.matches(added)) {
                    throw new IllegalStateException(
                            "the module is not at rest: " + Status.show(added));
                }
            } finally {
                now.host.cpus().release(cpu);
            }
        }
    }

    /** The pair that {@link #forget} runs into; its pages are no allocator's. */
    private static void prepareToForget(TdxHost host, boolean begins) {
        HostCpu cpu = host.cpus().claim(0);
        try {
            PhymemLeaves module = host.tdh().phymem();
            long status =
                    begins
                            ? module.pamtAdd(
                                    cpu, OTHER_SCRATCH, OTHER_SCRATCH + 1, OTHER_SCRATCH + 2)
                            : module.pamtRemove(cpu, OTHER_SCRATCH);
            if (status != Status.SUCCESS) {
                throw new IllegalStateException(Status.show(status));
            }
        } finally {
            host.cpus().release(cpu);
        }
    }

    private Lab build() {
        RawMachine raw = RawMachine.switchOn(profile(), SeamcallListener.NONE);
        Machine machine = raw.machine();
        TdxHost host;
        try {
            host = TdxHost.bringUp(machine, variant.policy(), log::add);
        } catch (TdxInitException e) {
            throw new IllegalStateException("the host does not come up", e);
        }
        Calls[] calls = new Calls[1];
        machine.observe(module -> calls[0] = new Calls(module, refused, PamtWorld::place));
        prepareToForget(host, true);
        LargeTd largeTd = program.has(Verb.DEMOTE) ? new LargeTd(host) : null;
        PamtBacking backing = variant.backing().apply(host);
        RangeRefcounts counts = host.refcounts().orElseThrow();
        return new Lab(
                host,
                backing,
                counts,
                raw.module().pamt(),
                calls[0],
                host.sleepingPairs(0),
                new RangeSplits(
                        backing,
                        counts,
                        host.tdh().mem(),
                        host.tdh().phymem(),
                        new PairPages(host.pages(), host.pageReset(), host.log())),
                largeTd,
                host.pages().usedPages(PageUse.PAMT_PAIR));
    }

    private static MachineProfile profile() {
        List<AddressRange> memory = List.of(new AddressRange(MIB, 96 * MIB));
        return new MachineProfile(
                "check",
                "",
                1,
                Program.MAX_THREADS,
                46,
                new KeyIdPartition(6, 0, 4),
                List.of(new NumaNode(memory)),
                memory,
                ModuleProfile.V1_5_25,
                false);
    }

    /** As many users of each range as the initial state says. */
    private void adjust(Lab now) {
        now.calls.disarm();
        HostCpu cpu = now.host.cpus().claim(0);
        try {
            for (int r = 0; r < held.length; r++) {
                while (held[r] < initial[r]) {
                    if (now.backing.get(cpu, pfn(r), now.pairs) != Errno.OK) {
                        throw new IllegalStateException("the initial state cannot be reached");
                    }
                    held[r]++;
                }
                while (held[r] > initial[r]) {
                    now.backing.put(cpu, pfn(r));
                    held[r]--;
                }
            }
        } finally {
            now.host.cpus().release(cpu);
        }
    }

    private void learn(Lab now) {
        legend.clear();
        for (int r = 0; r < held.length; r++) {
            @Pfn long pfn = pfn(r);
            legend.learn("refcount r" + r, () -> now.counts.read(pfn));
        }
    }

    private static @Pfn long pfn(int range) {
        return Addresses.pfn(FIRST_RANGE + range * Addresses.RANGE_SIZE);
    }

    private static String place(long hpa) {
        long range = ((hpa & -Addresses.RANGE_SIZE) - FIRST_RANGE) / Addresses.RANGE_SIZE;
        return range >= 0 && range < 16 && (hpa & -Addresses.RANGE_SIZE) >= FIRST_RANGE
                ? "r" + range
                : Addresses.show(hpa & -Addresses.PAGE_SIZE);
    }

    // ------------------------------------------------------------------ the threads

    private Lab lab() {
        Lab now = lab;
        if (now == null) {
            throw new IllegalStateException("reset comes first");
        }
        return now;
    }

    @Override
    public void body(int thread) {
        Lab now = lab();
        HostCpu cpu = now.host.cpus().claim(thread);
        try {
            // Whose get failed has nothing to put.
            int[] failedGets = new int[held.length];
            for (Op op : program.threads().get(thread)) {
                if (op.verb() == Verb.PUT && failedGets[op.target()] > 0) {
                    failedGets[op.target()]--;
                    say(op, " is left out: its get failed");
                } else if (!perform(now, cpu, op)) {
                    failedGets[op.target()]++;
                }
            }
        } finally {
            now.host.cpus().release(cpu);
        }
    }

    /** Does an operation; false for a get that failed. */
    private boolean perform(Lab now, HostCpu cpu, Op op) {
        int r = op.target();
        int result = Errno.OK;
        switch (op.verb()) {
            case GET -> {
                say(op, " begins");
                result = now.backing.get(cpu, pfn(r), now.pairs);
                if (result == Errno.OK) {
                    held[r]++;
                }
                say(op, " returns " + Errno.name(result));
                if (result != Errno.OK && refused.isEmpty()) {
                    failed.add(op + " returned " + Errno.name(result));
                }
            }
            case PUT -> {
                say(op, " begins");
                held[r]--;
                now.backing.put(cpu, pfn(r));
                say(op, " returns");
            }
            case ADD -> {
                int from = op.other() < 0 ? r : op.other();
                @Pfn long page = pfn(from) + 8L * (r + 1);
                long status = now.host.tdh().phymem().pamtAdd(cpu, pfn(r), page, page + 1);
                if (status != Status.SUCCESS) {
                    refusals.add(op + " answered " + Status.show(status));
                } else {
                    added |= 1 << r;
                }
            }
            case DEMOTE -> {
                LargeTd td = now.largeTd;
                if (td == null) {
                    throw new AssertionError("there is no TD to split a page of");
                }
                long status = td.demote(cpu, now.splits, pfn(r) + 8);
                if (status != Status.SUCCESS && refused.isEmpty()) {
                    refusals.add(op + " answered " + Status.show(status));
                }
            }
            default -> throw new AssertionError(op + " is no operation on ranges");
        }
        return result == Errno.OK;
    }

    private void say(Op op, String what) {
        if (!notes.isSilent()) {
            notes.note(op + what);
        }
    }

    // ------------------------------------------------------------------ what must hold

    @Override
    public void watch(SteppedRun run, Findings into) {
        Object where = run.lastWhere();
        boolean boundary = false;
        if (where instanceof Lock lock && lock.rank() == LockRank.PAMT) {
            learn(lock);
            boundary = run.lastAct() == Act.UNLOCK;
        } else if (run.lastAct() == Act.UPDATE || run.lastAct() == Act.WRITE) {
            boundary = legend.name(where, run.lastAt()) != null;
        }
        if (!log.isEmpty() && refused.isEmpty()) {
            into.add(Rule.REFUSED, log.getFirst());
        }
        if (!refusals.isEmpty()) {
            into.add(Rule.REFUSED, refusals.getFirst());
        }
        if (!failed.isEmpty()) {
            into.add(Rule.FAILED, failed.getFirst());
        }
        if (boundary && isPamtFree()) {
            checkRanges(into);
        }
    }

    /** There may be several, of those who are to be caught. */
    private void learn(Lock lock) {
        if (!pamtLocks.contains(lock)) {
            pamtLocks.add(lock);
        }
    }

    /** Whether nobody holds pamt_lock. It was seen before anybody could take it unseen. */
    private boolean isPamtFree() {
        for (int i = 0; i < pamtLocks.size(); i++) {
            if (SteppedRun.isHeld(pamtLocks.get(i))) {
                return false;
            }
        }
        return true;
    }

    /** Outside the lock a count above zero, and a user, mean that the pair is there. */
    private void checkRanges(Findings into) {
        Lab now = lab();
        for (int r = 0; r < held.length; r++) {
            if (now.pamt.pair(pfn(r)) != null) {
                continue;
            }
            if (held[r] > 0) {
                into.add(
                        Rule.I3,
                        "r"
                                + r
                                + " has a user whose get succeeded and no page pair: its next"
                                + " SEAMCALL answers "
                                + StatusCode.MISSING_PAMT_PAGE_PAIR);
            }
            int count = now.counts.read(pfn(r));
            if (count > 0) {
                into.add(Rule.I1, "refcount r" + r + " is " + count + ", and no page pair there");
            }
        }
    }

    @Override
    public void settle(Findings into) {
        Lab now = lab();
        now.calls.disarm();
        if (added != 0) {
            removeAdded(now);
        }
        if (!into.isEmpty()) {
            return;
        }
        checkRest(now, into);
        if (into.isEmpty() && refused.isEmpty()) {
            adjust(now);
            checkRest(now, into);
        } else {
            spoil();
        }
        if (now.largeTd != null) {
            spoil();
        }
    }

    private void removeAdded(Lab now) {
        HostCpu cpu = now.host.cpus().claim(0);
        for (int r = 0; r < held.length; r++) {
            if ((added >>> r & 1) != 0) {
                now.host.tdh().phymem().pamtRemove(cpu, pfn(r));
            }
        }
        now.host.cpus().release(cpu);
        added = 0;
    }

    /** Nobody is inside get or put. */
    private void checkRest(Lab now, Findings into) {
        int pairs = 0;
        // After a refused REMOVE the pair is leaked and its count stays, as it should.
        boolean keepsLeaks =
                refused.stream().anyMatch(call -> call.leaf() == Leaf.PHYMEM_PAMT_REMOVE);
        for (int r = 0; r < held.length; r++) {
            int count = now.counts.read(pfn(r));
            boolean backed = now.pamt.pair(pfn(r)) != null;
            pairs += backed ? 1 : 0;
            if (held[r] > 0 && !backed) {
                into.add(Rule.I3, "r" + r + " has " + held[r] + " users and no page pair");
            }
            if (count > 0 && !backed) {
                into.add(Rule.I1, "refcount r" + r + " is " + count + ", and no page pair there");
            }
            if (count == 0 && backed) {
                into.add(Rule.I2, "refcount r" + r + " is 0, and the page pair still there");
            }
            if (count != held[r] && !keepsLeaks) {
                into.add(
                        Rule.I4,
                        "refcount r" + r + " is " + count + " at the end; users: " + held[r]);
            }
        }
        long pages = now.host.pages().usedPages(PageUse.PAMT_PAIR) - now.pairPagesBefore;
        if (pages != 2L * pairs) {
            into.add(
                    Rule.LEAK,
                    pages + " pages count as pairs, and " + pairs + " pairs are installed");
        }
    }

    @Override
    public void audit(Findings into) {
        Lab now = lab;
        if (now == null) {
            return;
        }
        now.calls.disarm();
        Arrays.fill(held, 0);
        HostCpu cpu = now.host.cpus().claim(0);
        try {
            for (int r = 0; r < held.length; r++) {
                for (int i = 0; i < initial[r]; i++) {
                    now.backing.put(cpu, pfn(r));
                }
            }
        } finally {
            now.host.cpus().release(cpu);
        }
        if (now.largeTd != null) {
            now.largeTd.destroy();
        }
        prepareToForget(now.host, false);
        HostAuditor.audit(now.host).forEach(finding -> into.add(Rule.AUDIT, finding));
        spoil();
    }
}
