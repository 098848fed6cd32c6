// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.HostPolicy.GetPut;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.init.TdxInitException;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.kernel.KernelLog;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.pamt.FaultPool;
import dev.seamlab.host.pamt.PairSource;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.KeyIdPartition;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.machine.profile.NumaNode;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.StatusCode;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.lifecycle.AfterProperty;

/**
 * Whatever is asked of one host, step by step: pages with backing, from the allocator and from
 * pools, TDs as far as their TDCS, KeyIDs, CPUs that come and go, allocations and SEAMCALLs that
 * are refused. The oracle is a count per range, sets of KeyIDs and CPUs, and a number of pages per
 * use; the auditor has the last word.
 */
class HostOracleTest {
    private static final long RANGE = Addresses.PAGES_PER_RANGE;
    private static final int KEY_IDS = 3;

    /** A refused ADD is success there, as posted, and nothing holds afterwards. */
    private static final Set<Preset> R13 = EnumSet.of(Preset.V4_BASE, Preset.V4_AS_POSTED);

    /** What the steps came to, over all programs. */
    private static final Map<String, Integer> MET = new TreeMap<>();

    sealed interface Op {
        record Back(int cpu, boolean nextRange, int pool) implements Op {}

        record GiveUp(int which, int cpu) implements Op {}

        record TopUp(int pool, int cpu) implements Op {}

        record TakeTable(int pool) implements Op {}

        record Drain(int pool) implements Op {}

        record CreateTd(int cpu) implements Op {}

        record AddControlPage(int td, int cpu) implements Op {}

        record DestroyTd(int td, int cpu) implements Op {}

        record Offline(int cpu) implements Op {}

        record Online(int cpu) implements Op {}

        record RefuseAllocation(int nth) implements Op {}

        record RefuseAdd() implements Op {}

        record RefuseRemove() implements Op {}
    }

    private record Td(@Pfn long tdr, int hkid, List<Long> tdcs) {}

    /** Two packages of two CPUs, a node of 31 and one of 32 MiB, three KeyIDs for guests. */
    private static MachineProfile profile() {
        long mib = 1L << 20;
        List<AddressRange> first = List.of(new AddressRange(mib, 32 * mib));
        List<AddressRange> second = List.of(new AddressRange(1024 * mib, 1056 * mib));
        return new MachineProfile(
                "oracle",
                "",
                2,
                2,
                46,
                new KeyIdPartition(6, 0, KEY_IDS + 1),
                List.of(new NumaNode(first), new NumaNode(second)),
                List.of(first.getFirst(), second.getFirst()),
                ModuleProfile.V1_5_25,
                true);
    }

    private static final class Run {
        final Preset preset;
        final ScriptedSeam seam;
        final TdxHost host;
        final Map<PageUse, Long> atStart;
        final FaultPool[] pools = new FaultPool[2];

        // The oracle.
        final TreeMap<Long, Integer> counts = new TreeMap<>();
        final Set<Long> kept = new HashSet<>();
        final List<Long> backed = new ArrayList<>();
        final List<Long> tables = new ArrayList<>();
        final List<Td> tds = new ArrayList<>();
        final TreeSet<Integer> online = new TreeSet<>(List.of(0, 1, 2, 3));
        final TreeSet<Integer> keyIds = new TreeSet<>();
        boolean refusingAdd;
        boolean refusingRemove;

        private int untilRefusal = -1;
        private int refused;

        Run(Preset preset) {
            this.preset = preset;
            Machine machine = new Machine(profile());
            seam = ScriptedSeam.loadInto(machine);
            try {
                host = TdxHost.bringUp(machine, preset.policy(), KernelLog.SILENT);
            } catch (TdxInitException e) {
                throw new AssertionError(e);
            }
            atStart = host.pages().usedPages();
            for (int i = 0; i < pools.length; i++) {
                pools[i] = host.newFaultPool(i);
            }
            host.pages().setGate((use, pages) -> !refuses());
        }

        private boolean refuses() {
            boolean now = untilRefusal == 0;
            refused += now ? 1 : 0;
            untilRefusal = Math.max(-1, untilRefusal - 1);
            return now;
        }

        void step(Op op) {
            refused = 0;
            switch (op) {
                case Op.Back(int cpu, boolean nextRange, int pool) ->
                        on(cpu, claimed -> back(claimed, nextRange, pool));
                case Op.GiveUp(int which, int cpu) -> {
                    if (!backed.isEmpty()) {
                        long pfn = backed.remove(which % backed.size());
                        on(cpu, claimed -> giveUp(claimed, pfn));
                    }
                }
                case Op.TopUp(int pool, int cpu) ->
                        on(
                                cpu,
                                claimed -> {
                                    int result = pools[pool].topUp(claimed, 5);
                                    assertThat(result)
                                            .isEqualTo(refused > 0 ? Errno.ENOMEM : Errno.OK);
                                    met("top-up " + Errno.name(result));
                                });
                case Op.TakeTable(int pool) -> takeTable(pools[pool]);
                case Op.Drain(int pool) -> pools[pool].drain();
                case Op.CreateTd(int cpu) -> createTd(cpu);
                case Op.AddControlPage(int td, int cpu) -> addControlPage(td, cpu);
                case Op.DestroyTd(int td, int cpu) -> destroyTd(td, cpu);
                case Op.Offline(int cpu) -> offline(cpu);
                case Op.Online(int cpu) -> {
                    assertThat(host.online(cpu)).isEqualTo(Errno.OK);
                    online.add(cpu);
                }
                case Op.RefuseAllocation(int nth) -> untilRefusal = nth;
                case Op.RefuseAdd() -> {
                    if (host.isDynamicPamt() && !R13.contains(preset)) {
                        arm(Leaf.PHYMEM_PAMT_ADD);
                    }
                }
                case Op.RefuseRemove() -> {
                    if (host.isDynamicPamt()) {
                        arm(Leaf.PHYMEM_PAMT_REMOVE);
                    }
                }
            }
        }

        private void arm(Leaf leaf) {
            seam.refuseNext(leaf, StatusCode.OPERAND_BUSY.with(Operand.RCX));
            refusingAdd = leaf == Leaf.PHYMEM_PAMT_ADD;
            refusingRemove = leaf == Leaf.PHYMEM_PAMT_REMOVE;
        }

        private interface OnCpu {
            void run(HostCpu cpu);
        }

        private void on(int index, OnCpu work) {
            List<Integer> there = List.copyOf(online);
            HostCpu cpu = host.cpus().claim(there.get(index % there.size()));
            try {
                work.run(cpu);
            } finally {
                host.cpus().release(cpu);
            }
        }

        // -------------------------------------------------------------- get and put

        private int count(@Pfn long pfn) {
            return counts.getOrDefault(pfn & -RANGE, 0);
        }

        private boolean takesAPairAlways() {
            GetPut variant = preset.policy().getPut();
            return variant == GetPut.GLOBAL_LOCK || variant == GetPut.ALWAYS_LOCK;
        }

        /** What get must answer for a page, given whether a pair could be had. */
        private int expectGet(@Pfn long pfn, boolean pairThere) {
            if (!host.isDynamicPamt()) {
                return Errno.OK;
            }
            boolean first = count(pfn) == 0;
            if ((first || takesAPairAlways()) && !pairThere) {
                return Errno.ENOMEM;
            }
            if (first && refusingAdd) {
                refusingAdd = false;
                return Errno.EIO;
            }
            counts.merge(pfn & -RANGE, 1, Integer::sum);
            return Errno.OK;
        }

        private void expectPut(@Pfn long pfn) {
            long range = pfn & -RANGE;
            if (!host.isDynamicPamt()) {
                return;
            }
            if (count(pfn) == 1 && refusingRemove) {
                refusingRemove = false;
                kept.add(range); // the count stays
                met("pair kept");
            } else if (counts.merge(range, -1, Integer::sum) == 0) {
                counts.remove(range);
            }
        }

        private void back(HostCpu cpu, boolean nextRange, int from) {
            @Pfn
            long pfn =
                    nextRange
                            ? host.pages().allocateRange(cpu.node(), 1, RANGE, PageUse.SEPT_READY)
                            : host.pages().allocate(cpu, PageUse.SEPT_READY);
            if (pfn == PageAllocator.NONE) {
                assertThat(refused + (nextRange ? 1 : 0)).isPositive();
                met("no page");
                return;
            }
            int before = refused;
            boolean pooled = from < pools.length;
            int held = pooled ? pools[from].held() : 0;
            PairSource source = pooled ? pools[from] : host.sleepingPairs(cpu.node());
            int result = host.backing().get(cpu, pfn, source);
            // A pool that has one page left loses that one, and gives no pair.
            boolean pairThere = pooled ? held - pools[from].held() == 2 : refused == before;
            if (pooled && held < 2) {
                assertThat(pairThere).isFalse();
            }
            int expected = expectGet(pfn, pairThere);
            assertThat(Errno.name(result)).isEqualTo(Errno.name(expected));
            met((pooled ? "get from pool " : "get ") + Errno.name(result));
            if (result == Errno.OK) {
                backed.add(pfn);
            } else {
                host.pages().free(cpu, pfn, PageUse.SEPT_READY);
            }
        }

        private void giveUp(HostCpu cpu, @Pfn long pfn) {
            host.backing().put(cpu, pfn);
            host.pages().free(cpu, pfn, PageUse.SEPT_READY);
            expectPut(pfn);
            met("put");
        }

        private void takeTable(FaultPool pool) {
            int held = pool.held();
            long pfn = pool.takeSeptPage();
            if (pfn != PageAllocator.NONE) {
                host.pages().retag(pfn, PageUse.SEPT, PageUse.POOL);
                tables.add(pfn);
                met(pool.held() < held ? "table from pool" : "table past the pool");
            }
        }

        // -------------------------------------------------------------- TDs

        private void createTd(int cpu) {
            if (!host.cpus().isPackageOnline(0) || !host.cpus().isPackageOnline(1)) {
                return; // KVM asks for that first
            }
            int hkid = host.keyIds().allocate();
            int lowest = host.keyIds().first();
            while (keyIds.contains(lowest)) {
                lowest++;
            }
            boolean left = keyIds.size() < KEY_IDS;
            assertThat(hkid).isEqualTo(left ? lowest : Errno.ENOSPC);
            if (!left) {
                met("no KeyID");
                return;
            }
            boolean[] done = new boolean[1];
            on(
                    cpu,
                    claimed -> {
                        long tdr = allocateControlPage(claimed);
                        if (tdr != PageAllocator.NONE) {
                            ok(host.tdh().mng().create(claimed, Addresses.hpa(tdr), hkid));
                            tds.add(new Td(tdr, hkid, new ArrayList<>()));
                            done[0] = true;
                        }
                    });
            if (done[0]) {
                keyIds.add(hkid);
                met("TD");
                onEachPackage(claimed ->
                        ok(
                                host.tdh()
                                        .mng()
                                        .keyConfig(claimed, Addresses.hpa(tds.getLast().tdr()))));
            } else {
                host.keyIds().free(hkid);
            }
        }

        private long allocateControlPage(HostCpu cpu) {
            int before = refused;
            boolean addRefused = refusingAdd;
            long pfn = host.controlPages().allocate(cpu);
            if (pfn != PageAllocator.NONE) {
                assertThat(expectGet(pfn, true)).isEqualTo(Errno.OK);
            } else {
                // Without a page nobody says for which range; a refused ADD is used up.
                boolean addUsedUp = addRefused && refused == before;
                assertThat(refused > before || addUsedUp).isTrue();
                refusingAdd = addRefused && !addUsedUp;
                met("no control page");
            }
            return pfn;
        }

        private void addControlPage(int which, int cpu) {
            if (tds.isEmpty()) {
                return;
            }
            Td td = tds.get(which % tds.size());
            if (td.tdcs().size() == host.info().tdcsPages()) {
                return;
            }
            on(
                    cpu,
                    claimed -> {
                        long page = allocateControlPage(claimed);
                        if (page != PageAllocator.NONE) {
                            ok(
                                    host.tdh()
                                            .mng()
                                            .addcx(
                                                    claimed,
                                                    Addresses.hpa(td.tdr()),
                                                    Addresses.hpa(page)));
                            td.tdcs().add(page);
                        }
                    });
        }

        private void destroyTd(int which, int cpu) {
            if (tds.isEmpty()) {
                return;
            }
            Td td = tds.remove(which % tds.size());
            long tdr = Addresses.hpa(td.tdr());
            on(cpu, claimed -> ok(host.tdh().mng().vpflushdone(claimed, tdr)));
            onEachPackage(claimed -> ok(host.tdh().phymem().cacheWb(claimed, false)));
            on(
                    cpu,
                    claimed -> {
                        ok(host.tdh().mng().keyFreeid(claimed, tdr));
                        td.tdcs().forEach(page -> reclaim(claimed, page));
                        reclaim(claimed, td.tdr());
                    });
            host.keyIds().free(td.hkid());
            keyIds.remove(td.hkid());
            met("TD destroyed");
        }

        private void reclaim(HostCpu cpu, @Pfn long page) {
            ok(host.tdh().phymem().pageReclaim(cpu, Addresses.hpa(page)));
            host.pageReset().reset(page);
            host.controlPages().free(cpu, page);
            expectPut(page);
        }

        private void onEachPackage(OnCpu work) {
            for (int p = 0; p < host.cpus().packages(); p++) {
                HostCpu cpu = host.cpus().claimOnPackage(p);
                try {
                    work.run(cpu);
                } finally {
                    host.cpus().release(cpu);
                }
            }
        }

        // -------------------------------------------------------------- CPUs

        private void offline(int cpu) {
            boolean lastOfPackage = !online.contains(cpu ^ 1);
            boolean stays =
                    online.contains(cpu)
                            && (online.size() == 1 || (lastOfPackage && !keyIds.isEmpty()));
            int result = host.offline(cpu);
            assertThat(result).isEqualTo(stays ? Errno.EBUSY : Errno.OK);
            met("offline " + Errno.name(result));
            if (!stays) {
                online.remove(cpu);
            }
        }

        // -------------------------------------------------------------- what is there

        void check() {
            host.refcounts()
                    .ifPresent(store -> {
                        Map<Long, Integer> found = new HashMap<>();
                        store.forEachTouched((pfn, count) -> {
                            if (count != 0) {
                                found.put(pfn, count);
                            }
                        });
                        assertThat(found).isEqualTo(counts);
                    });
            long held = tables.size();
            for (FaultPool pool : pools) {
                held += pool.held();
            }
            long control = tds.stream().mapToLong(td -> 1 + td.tdcs().size()).sum();
            assertThat(more(PageUse.SEPT_READY)).isEqualTo(backed.size());
            assertThat(more(PageUse.PAMT_PAIR)).isEqualTo(2L * counts.size());
            assertThat(more(PageUse.POOL)).isEqualTo(held);
            assertThat(more(PageUse.CONTROL)).isEqualTo(control);
            assertThat(host.pages().usedPages().values().stream().mapToLong(n -> n).sum())
                    .isEqualTo(host.pages().totalPages() - host.pages().freePages());
            assertThat(host.keyIds().used()).isEqualTo(keyIds.size());
            for (HostCpu cpu : host.cpus().all()) {
                assertThat(cpu.logical().isOnline()).isEqualTo(online.contains(cpu.index()));
            }
        }

        private long more(PageUse use) {
            return host.pages().usedPages(use) - atStart.get(use);
        }

        /** Gives everything back, as the end of all VMs would. */
        void end() {
            for (int cpu = 0; cpu < 4; cpu++) {
                step(new Op.Online(cpu));
            }
            untilRefusal = -1;
            arm(Leaf.SYS_SHUTDOWN); // nothing more is refused
            while (!tds.isEmpty()) {
                step(new Op.DestroyTd(0, 0));
            }
            while (!backed.isEmpty()) {
                step(new Op.GiveUp(0, 3));
            }
            tables.forEach(pfn -> host.pages().free(pfn, PageUse.POOL));
            tables.clear();
            for (FaultPool pool : pools) {
                pool.drain();
            }
            check();
            assertThat(counts.keySet()).isEqualTo(kept);
            assertThat(HostAuditor.audit(host)).isEmpty();
        }
    }

    private static void ok(long status) {
        assertThat(StatusCode.of(status)).isEqualTo(StatusCode.SUCCESS);
    }

    private static void met(String what) {
        MET.merge(what, 1, Integer::sum);
    }

    // One seed: which answers the programs meet, see below, must not be left to chance.
    @Property(tries = 100, edgeCases = EdgeCasesMode.NONE, seed = "20261121")
    void anyProgram_everyCountAndPageIsWhatItShouldBe(
            @ForAll Preset preset, @ForAll("programs") List<Op> program) {
        Run run = new Run(preset);
        for (Op op : program) {
            run.step(op);
            run.check();
        }
        assertThat(HostAuditor.audit(run.host)).isEmpty();
        run.end();
    }

    /** The programs are worth something only if they get everywhere. */
    @AfterProperty
    void programsGotEverywhere() {
        assertThat(MET)
                .containsKeys(
                        "get OK",
                        "get ENOMEM",
                        "get EIO",
                        "get from pool OK",
                        "get from pool ENOMEM",
                        "put",
                        "pair kept",
                        "no page",
                        "no control page",
                        "no KeyID",
                        "TD",
                        "TD destroyed",
                        "table from pool",
                        "top-up OK",
                        "top-up ENOMEM",
                        "offline OK",
                        "offline EBUSY");
    }

    @Provide
    Arbitrary<List<Op>> programs() {
        Arbitrary<Integer> cpu = Arbitraries.integers().between(0, 3);
        Arbitrary<Integer> which = Arbitraries.integers().between(0, 100);
        Arbitrary<Integer> pool = Arbitraries.integers().between(0, 1);
        Arbitrary<Integer> source = Arbitraries.of(0, 1, 2, 2);
        Arbitrary<Op> back =
                Combinators.combine(cpu, Arbitraries.of(true, false), source).as(Op.Back::new);
        Arbitrary<Op> giveUp = Combinators.combine(which, cpu).as(Op.GiveUp::new);
        return Arbitraries.oneOf(
                        List.of(
                                back,
                                back,
                                back,
                                giveUp,
                                giveUp,
                                Combinators.combine(pool, cpu).as(Op.TopUp::new),
                                pool.map(Op.TakeTable::new),
                                pool.map(Op.Drain::new),
                                cpu.map(Op.CreateTd::new),
                                cpu.map(Op.CreateTd::new),
                                Combinators.combine(which, cpu).as(Op.AddControlPage::new),
                                Combinators.combine(which, cpu).as(Op.DestroyTd::new),
                                cpu.map(Op.Offline::new),
                                cpu.map(Op.Online::new),
                                Arbitraries.integers().between(0, 4).map(Op.RefuseAllocation::new),
                                Arbitraries.just(new Op.RefuseAdd()),
                                Arbitraries.just(new Op.RefuseRemove())))
                .list()
                .ofMinSize(30)
                .ofMaxSize(120);
    }
}
