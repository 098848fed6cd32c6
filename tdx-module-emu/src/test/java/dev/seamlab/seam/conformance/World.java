// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.conformance;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.StateProbe;
import dev.seamlab.seam.TestModule;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.TdParams;
import dev.seamlab.seam.core.InterruptModel;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;

/**
 * A module with a TD in each stage of its life, pages in each state, and a name for everything that
 * an operand may point at. The tables of the conformance tests speak of these names.
 */
final class World {
    private static final long BASE = TestModule.BASE;
    private static final long RANGE = Addresses.RANGE_SIZE;
    private static final int RANGES = 8;
    private static final int PAIR_RANGE = 4;
    private static final long PARAMS = TestModule.BUFFER + 0x10_000;

    final TestModule module;
    final boolean dynamic;
    final StateProbe probe;
    private final Map<String, Long> names = new HashMap<>();
    private long nextPage = BASE;
    private long nextPairPage = BASE + PAIR_RANGE * RANGE;
    private int nextHkid = 0x21;

    World(boolean dynamic) {
        this(dynamic, InterruptModel.NEVER);
    }

    World(boolean dynamic, InterruptModel interrupts) {
        this.dynamic = dynamic;
        module = TestModule.with(dynamic, interrupts);
        probe = new StateProbe(module, BASE, RANGES);
        if (dynamic) {
            for (int range = 0; range < 3; range++) {
                ok(
                        Leaf.PHYMEM_PAMT_ADD,
                        PageInfo.ofHpa(BASE + range * RANGE, 1),
                        pairPage(),
                        pairPage());
            }
        }
        nameBadOperands();
        stages();
        runnable();
        name("FREE", page());
        name("FREE2", page());
        name("FREE3", page());
        name("EMPTYRANGE", PageInfo.ofHpa(BASE + 3 * RANGE, 1));
        name("PAIR0", pairPage());
        name("PAIR1", pairPage());
    }

    /** What a name stands for; a number stands for itself. */
    long value(String name) {
        Long value = names.get(name);
        if (value != null) {
            return value;
        }
        return name.startsWith("0x")
                ? Long.parseUnsignedLong(name.substring(2), 16)
                : Long.parseLong(name);
    }

    /** What all names stand for, in the order of the names. */
    long[] values() {
        return new TreeMap<>(names).values().stream().mapToLong(value -> value).toArray();
    }

    private void nameBadOperands() {
        name("UNALIGNED", BASE + 0x800);
        name("HKID", BASE | 1L << 47);
        name("ABOVE", 1L << 52);
        name("OUTSIDE", 100 * Addresses.GIB);
        name("NOPAIR", BASE + 3 * RANGE);
        name("GRESERVED", 1L << 3);
        name("GTOP", 1L << 60);
        name("GLEVEL", 7);
        name("GSHARED", 1L << 47);
        name("GWIDE", 1L << 50);
        name("SOURCE", TestModule.BUFFER);
        name("PRIVATEBUFFER", TestModule.BUFFER | 1L << 51);
        name("PARAMS", PARAMS);
        name("NOTARANGE", BASE);
        name("RANGEHKID", (BASE | 1L << 47) | 1);
        name("RANGEOUT", PageInfo.ofHpa(100 * Addresses.GIB, 1));
        name("BACKED", PageInfo.ofHpa(BASE, 1));
        name("UNBACKED", PageInfo.ofHpa(BASE + 3 * RANGE, 1));
    }

    private void stages() {
        name("CREATED", create());
        long keyed = create();
        name("KEYED", keyed);
        ok(Leaf.MNG_KEY_CONFIG, keyed, 0, 0);
        name("UNINIT", withControlPages());
        long initialised = initialised();
        name("INIT", initialised);
        name("INITVCPU", vcpu(initialised, 5));
        long bare = page();
        ok(Leaf.VP_CREATE, bare, initialised, 0);
        name("BAREVCPU", bare);
        long fresh = vcpuPages(initialised, 5);
        name("FRESHVCPU", fresh);
        tables(initialised, 0);
        ok(
                new Registers()
                        .rax(Leaf.MEM_PAGE_ADD.number())
                        .rdx(initialised)
                        .r8(page())
                        .r9(TestModule.BUFFER));
        name("NOVCPU", initialised());
        long flushed = create();
        ok(Leaf.MNG_KEY_CONFIG, flushed, 0, 0);
        ok(Leaf.MNG_VPFLUSHDONE, flushed, 0, 0);
        name("FLUSHED", flushed);
        long written = create();
        ok(Leaf.MNG_VPFLUSHDONE, written, 0, 0);
        ok(Leaf.PHYMEM_CACHE_WB, 0, 0, 0);
        name("WRITTENBACK", written);
        long torn = create();
        ok(Leaf.MNG_KEY_CONFIG, torn, 0, 0);
        long child = page();
        ok(Leaf.MNG_ADDCX, child, torn, 0);
        ok(Leaf.MNG_VPFLUSHDONE, torn, 0, 0);
        ok(Leaf.PHYMEM_CACHE_WB, 0, 0, 0);
        ok(Leaf.MNG_KEY_FREEID, torn, 0, 0);
        name("TORN", torn);
        name("TORNCHILD", child);
        // Flushed after the last write-back.
        long waiting = create();
        ok(Leaf.MNG_VPFLUSHDONE, waiting, 0, 0);
        name("WAITING", waiting);
    }

    private void runnable() {
        long td = initialised();
        name("RUN", td);
        name("RUNVCPU", vcpu(td, 5));
        name("FLUSHEDVCPU", vcpu(td, 5));
        ok(Leaf.VP_FLUSH, value("FLUSHEDVCPU"), 0, 0);
        tables(td, 0);
        ok(
                new Registers()
                        .rax(Leaf.MEM_PAGE_ADD.number())
                        .rdx(td)
                        .r8(page())
                        .r9(TestModule.BUFFER));
        ok(Leaf.MR_FINALIZE, td, 0, 0);
        name("MAPPED", 0);
        name("PENDING", aug(td, 0x1000));
        name("TRACKED", aug(td, 0x2000));
        name("UNTRACKED", aug(td, 0x3000));
        name("GFREE", 0x4000);
        long table = PageInfo.ofGpa(6 * RANGE / 2, 1);
        ok(Leaf.MEM_SEPT_ADD, table, td, page());
        name("EMPTYTABLE", table);
        name("FULLTABLE", PageInfo.ofGpa(0, 1));
        name("NOTABLE", RANGE);
        name("FREE2M", PageInfo.ofGpa(RANGE, 1));
        long large = PageInfo.ofGpa(4 * RANGE, 1);
        ok(Leaf.MEM_PAGE_AUG, large, td, BASE + 5 * RANGE);
        name("LARGE", large);
        long split = PageInfo.ofGpa(5 * RANGE, 1);
        ok(Leaf.MEM_PAGE_AUG, split, td, BASE + 6 * RANGE);
        ok(Leaf.MEM_RANGE_BLOCK, split, td, 0);
        ok(Leaf.MEM_TRACK, td, 0, 0);
        ok(
                new Registers()
                        .rax(Leaf.MEM_PAGE_DEMOTE.number())
                        .rcx(split)
                        .rdx(td)
                        .r8(page())
                        .r12(pairPage())
                        .r13(pairPage()));
        name("SPLIT", split);
        ok(Leaf.MEM_RANGE_BLOCK, value("TRACKED"), td, 0);
        ok(Leaf.MEM_RANGE_BLOCK, table, td, 0);
        ok(Leaf.MEM_RANGE_BLOCK, large, td, 0);
        ok(Leaf.MEM_RANGE_BLOCK, split, td, 0);
        ok(Leaf.MEM_TRACK, td, 0, 0);
        long open = PageInfo.ofGpa(7 * RANGE, 1);
        ok(Leaf.MEM_SEPT_ADD, open, td, page());
        name("OPENTABLE", open);
        ok(Leaf.MEM_RANGE_BLOCK, value("UNTRACKED"), td, 0);
    }

    private long aug(long td, long gpa) {
        ok(Leaf.MEM_PAGE_AUG, gpa, td, page());
        return gpa;
    }

    private long create() {
        long tdr = page();
        ok(Leaf.MNG_CREATE, tdr, nextHkid++, 0);
        return tdr;
    }

    private long withControlPages() {
        long tdr = create();
        ok(Leaf.MNG_KEY_CONFIG, tdr, 0, 0);
        for (int i = 0; i < 6; i++) {
            ok(Leaf.MNG_ADDCX, page(), tdr, 0);
        }
        return tdr;
    }

    private long initialised() {
        long tdr = withControlPages();
        var memory = module.machine().memory();
        memory.writeLong(PARAMS + TdParams.XFAM, 0x3);
        memory.writeShort(PARAMS + TdParams.MAX_VCPUS, 2);
        memory.writeLong(PARAMS + TdParams.EPTP_CONTROLS, TdParams.eptpControls(4));
        memory.writeShort(PARAMS + TdParams.TSC_FREQUENCY, 84);
        ok(Leaf.MNG_INIT, tdr, PARAMS, 0);
        return tdr;
    }

    private long vcpuPages(long tdr, int pages) {
        long tdvpr = page();
        ok(Leaf.VP_CREATE, tdvpr, tdr, 0);
        for (int i = 0; i < pages; i++) {
            ok(Leaf.VP_ADDCX, page(), tdvpr, 0);
        }
        return tdvpr;
    }

    private long vcpu(long tdr, int pages) {
        long tdvpr = vcpuPages(tdr, pages);
        ok(Leaf.VP_INIT, tdvpr, 0, 0);
        return tdvpr;
    }

    private void tables(long tdr, long gpa) {
        for (int level = PageInfo.LEVEL_512G; level >= PageInfo.LEVEL_2M; level--) {
            ok(Leaf.MEM_SEPT_ADD, PageInfo.ofGpa(gpa, level), tdr, page());
        }
    }

    /** A page that nothing has used. */
    long page() {
        long page = nextPage;
        nextPage += Addresses.PAGE_SIZE;
        return page;
    }

    private long pairPage() {
        long page = nextPairPage;
        nextPairPage += Addresses.PAGE_SIZE;
        return page;
    }

    private void name(String name, long value) {
        names.put(name, value);
    }

    private void ok(Leaf leaf, long rcx, long rdx, long r8) {
        ok(new Registers().rax(leaf.number()).rcx(rcx).rdx(rdx).r8(r8));
    }

    private void ok(Registers regs) {
        Leaf leaf = Leaf.of((int) regs.rax());
        long status = module.call(regs);
        if (status != Status.SUCCESS) {
            throw new AssertionError(leaf + " failed: " + Status.show(status));
        }
    }
}
