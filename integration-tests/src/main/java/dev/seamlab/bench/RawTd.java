// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.host.tdh.Tdh;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.GuestCode;
import dev.seamlab.machine.GuestContext;
import dev.seamlab.machine.GuestMode;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.TdParams;
import dev.seamlab.seam.abi.TdcallLeaf;
import java.util.ArrayList;
import java.util.List;

/**
 * A finalised TD with one vCPU, driven leaf by leaf without KVM: guest pages 0 to {@link #PAGES}
 * with their tables, brought from one state to the next by the leaf in between. All of it on one
 * CPU; every status is checked.
 */
final class RawTd {
    /** Guest pages: eight ranges of 2 MiB. */
    static final int PAGES = 4096;

    /** Tables at the 2M level that can be added and removed, above the pages. */
    static final int TABLES = 512;

    private static final long TABLES_FROM = Addresses.GIB;
    private static final int TSC_FREQUENCY = 80;

    /** Where the pages stand. */
    enum Phase {
        ABSENT,
        PENDING,
        MAPPED,
        /** And tracked. */
        BLOCKED
    }

    private final TdxHost host;
    private final Tdh tdh;
    private final HostCpu cpu;
    private final int hkid;
    private final @Hpa long tdr;
    private final @Hpa long tdvpr;
    private final @Pfn long first;
    private final List<Long> control = new ArrayList<>();
    private final List<Long> tables = new ArrayList<>();
    private final List<Long> spareTables = new ArrayList<>();
    private Phase phase = Phase.ABSENT;
    private boolean released;

    /** Builds and finalises it. */
    RawTd(TdxHost host, HostCpu cpu) {
        this.host = host;
        this.tdh = host.tdh();
        this.cpu = cpu;
        if (host.cpus().packages() != 1) {
            throw new IllegalArgumentException("keys of one package only");
        }
        hkid = host.keyIds().allocate();
        tdr = Addresses.hpa(host.controlPages().allocate(cpu));
        ok(tdh.mng().create(cpu, tdr, hkid));
        ok(tdh.mng().keyConfig(cpu, tdr));
        for (int i = 0; i < host.info().tdcsPages(); i++) {
            ok(tdh.mng().addcx(cpu, tdr, controlPage()));
        }
        initialise();
        tdvpr = controlPage();
        ok(tdh.vp().create(cpu, tdr, tdvpr));
        for (int i = 0; i < host.info().tdcxPages(); i++) {
            ok(tdh.vp().addcx(cpu, tdvpr, controlPage()));
        }
        ok(tdh.vp().init(cpu, tdvpr, 0, 0));
        ok(tdh.mng().mrFinalize(cpu, tdr));
        addTable(0, PageInfo.LEVEL_512G);
        addTable(0, PageInfo.LEVEL_1G);
        addTable(TABLES_FROM, PageInfo.LEVEL_1G);
        for (long gpa = 0; gpa < (long) PAGES * Addresses.PAGE_SIZE; gpa += Addresses.RANGE_SIZE) {
            addTable(gpa, PageInfo.LEVEL_2M);
        }
        first =
                host.pages()
                        .allocateRange(0, PAGES, Addresses.PAGES_PER_RANGE, PageUse.GUEST_PRIVATE);
        for (int i = 0; i < PAGES; i++) {
            back(first + i);
        }
        for (int i = 0; i < TABLES; i++) {
            spareTables.add(septPage());
        }
    }

    private void initialise() {
        long buffer = Addresses.hpa(host.pages().allocate(0, PageUse.BUFFER));
        PhysicalMemory memory = host.machine().memory();
        memory.zeroPage(buffer);
        memory.writeLong(buffer + TdParams.ATTRIBUTES, host.info().attributesFixed1());
        memory.writeLong(
                buffer + TdParams.XFAM,
                (0x7 & host.info().xfamFixed0()) | host.info().xfamFixed1());
        memory.writeShort(buffer + TdParams.MAX_VCPUS, 1);
        memory.writeLong(buffer + TdParams.EPTP_CONTROLS, TdParams.eptpControls(4));
        memory.writeLong(buffer + TdParams.CONFIG_FLAGS, TdParams.CONFIG_FLAG_NO_RBP_MOD);
        memory.writeShort(buffer + TdParams.TSC_FREQUENCY, TSC_FREQUENCY);
        ok(tdh.mng().init(cpu, tdr, buffer));
        host.pages().free(Addresses.pfn(buffer), PageUse.BUFFER);
    }

    private @Hpa long controlPage() {
        long page = host.controlPages().allocate(cpu);
        control.add(page);
        return Addresses.hpa(page);
    }

    private @Pfn long septPage() {
        long page = host.pages().allocate(0, PageUse.SEPT);
        back(page);
        return page;
    }

    private void back(@Pfn long page) {
        Lab.ok("get", host.backing().get(cpu, page, host.sleepingPairs(0)));
    }

    private void addTable(@Gpa long gpa, int level) {
        long page = septPage();
        ok(tdh.mem().septAdd(cpu, tdr, gpa, level, Addresses.hpa(page)));
        tables.add(page);
    }

    static void ok(long status) {
        if (status != Status.SUCCESS) {
            throw new IllegalStateException("the module answered " + Status.show(status));
        }
    }

    @Hpa
    long tdr() {
        return tdr;
    }

    private static @Gpa long gpa(int page) {
        return (long) page << Addresses.PAGE_SHIFT;
    }

    private @Hpa long hpa(int page) {
        return Addresses.hpa(first + page);
    }

    // ------------------------------------------------------------------ from state to state

    /** Brings all pages to a phase by the shortest way. */
    void bring(Phase wanted) {
        while (phase != wanted) {
            switch (phase) {
                case ABSENT -> augment();
                case PENDING -> {
                    if (wanted == Phase.ABSENT) {
                        block();
                    } else {
                        accept();
                    }
                }
                case MAPPED -> block();
                case BLOCKED -> {
                    if (wanted == Phase.MAPPED) {
                        unblock();
                    } else {
                        remove();
                    }
                }
            }
        }
    }

    private void move(Phase from, Phase to) {
        if (phase != from) {
            throw new IllegalStateException("the pages are " + phase + ", not " + from);
        }
        phase = to;
    }

    /** MEM.PAGE.AUG on each page. */
    void augment() {
        move(Phase.ABSENT, Phase.PENDING);
        for (int i = 0; i < PAGES; i++) {
            ok(tdh.mem().pageAug(cpu, tdr, gpa(i), PageInfo.LEVEL_4K, hpa(i)));
        }
    }

    /** One VP.ENTER, and TDG.MEM.PAGE.ACCEPT on each page. */
    void accept() {
        move(Phase.PENDING, Phase.MAPPED);
        Acceptor guest = new Acceptor();
        enter(guest, ExitReason.EXTERNAL_INTERRUPT);
        if (guest.accepted != PAGES) {
            throw new IllegalStateException("the guest accepted " + guest.accepted + " pages");
        }
    }

    /** MEM.RANGE.BLOCK on each page; the epoch advances outside, see {@link #track}. */
    void blockOnly() {
        move(Phase.MAPPED, Phase.BLOCKED);
        for (int i = 0; i < PAGES; i++) {
            ok(tdh.mem().rangeBlock(cpu, tdr, gpa(i), PageInfo.LEVEL_4K));
        }
    }

    private void block() {
        if (phase == Phase.PENDING) {
            phase = Phase.MAPPED; // BLOCK takes both
        }
        blockOnly();
        track();
    }

    /** MEM.TRACK, once. */
    void track() {
        ok(tdh.mem().track(cpu, tdr));
    }

    /** MEM.RANGE.UNBLOCK on each page. */
    void unblock() {
        move(Phase.BLOCKED, Phase.MAPPED);
        for (int i = 0; i < PAGES; i++) {
            ok(tdh.mem().rangeUnblock(cpu, tdr, gpa(i), PageInfo.LEVEL_4K));
        }
    }

    /** MEM.PAGE.REMOVE on each page. */
    void remove() {
        move(Phase.BLOCKED, Phase.ABSENT);
        for (int i = 0; i < PAGES; i++) {
            ok(tdh.mem().pageRemove(cpu, tdr, gpa(i), PageInfo.LEVEL_4K));
        }
    }

    /** PHYMEM.PAGE.RDMD on each page. */
    long readMetadata() {
        long owners = 0;
        for (int i = 0; i < PAGES; i++) {
            ok(tdh.phymem().pageRdmd(cpu, hpa(i), PageInfo.LEVEL_4K));
            owners += cpu.regs().rdx() == tdr ? 1 : 0;
        }
        return owners;
    }

    /** PHYMEM.PAGE.WBINVD on each page, which have to be ABSENT. */
    void writeBack() {
        for (int i = 0; i < PAGES; i++) {
            ok(tdh.phymem().pageWbinvd(cpu, hpa(i), hkid));
        }
    }

    /** MEM.SEPT.ADD of {@link #TABLES} tables at the 2M level. */
    void addTables() {
        for (int i = 0; i < TABLES; i++) {
            ok(
                    tdh.mem()
                            .septAdd(
                                    cpu,
                                    tdr,
                                    TABLES_FROM + ((long) i << Addresses.RANGE_SHIFT),
                                    PageInfo.LEVEL_2M,
                                    Addresses.hpa(spareTables.get(i))));
        }
    }

    /** Takes the tables of {@link #addTables} away again. */
    void removeTables() {
        for (int i = 0; i < TABLES; i++) {
            long gpa = TABLES_FROM + ((long) i << Addresses.RANGE_SHIFT);
            ok(tdh.mem().rangeBlock(cpu, tdr, gpa, PageInfo.LEVEL_2M));
        }
        track();
        for (int i = 0; i < TABLES; i++) {
            long gpa = TABLES_FROM + ((long) i << Addresses.RANGE_SHIFT);
            ok(tdh.mem().septRemove(cpu, tdr, gpa, PageInfo.LEVEL_2M));
        }
    }

    // ------------------------------------------------------------------ the guest

    /** Accepts one page after the other, then lets an interrupt come. */
    private final class Acceptor implements GuestCode {
        private int accepted;

        @Override
        public void step(GuestMode guest) {
            if (accepted == PAGES) {
                cpu.logical().raiseInterrupt();
                return;
            }
            guest.gprs().rax(TdcallLeaf.MEM_PAGE_ACCEPT.number()).rcx(gpa(accepted));
            if (guest.tdcall() != GuestMode.Outcome.DONE || guest.gprs().rax() != Status.SUCCESS) {
                throw new IllegalStateException("ACCEPT of page " + accepted);
            }
            accepted++;
        }
    }

    /** TDG.VP.VMCALL as often as the host lets it go on. */
    private static final GuestCode CALLER =
            guest -> {
                guest.gprs().rax(TdcallLeaf.VP_VMCALL.number()).rcx(0);
                if (guest.tdcall() != GuestMode.Outcome.EXITED) {
                    throw new IllegalStateException("VMCALL stayed in the guest");
                }
            };

    private static final dev.seamlab.machine.SharedEpt NOTHING_SHARED = (gpa, isWrite) -> -1;

    /** Enters the guest so often; each time it calls the host, and that is all. */
    void roundTrips(int times) {
        host.machine().bindGuest(tdvpr, new GuestContext(CALLER, NOTHING_SHARED));
        for (int i = 0; i < times; i++) {
            long status = tdh.vp().enter(cpu, tdvpr);
            if (status != ExitReason.TDCALL) {
                throw new IllegalStateException("VP.ENTER: " + Status.show(status));
            }
        }
    }

    private void enter(GuestCode code, int exit) {
        host.machine().bindGuest(tdvpr, new GuestContext(code, NOTHING_SHARED));
        long status = tdh.vp().enter(cpu, tdvpr);
        cpu.logical().acknowledgeInterrupt();
        if ((status & Status.CODE_MASK) != Status.SUCCESS || (int) status != exit) {
            throw new IllegalStateException("VP.ENTER: " + Status.show(status));
        }
    }

    // ------------------------------------------------------------------ the end

    /** Releases the KeyID: from now on pages can only be reclaimed. */
    void release() {
        host.machine().bindGuest(tdvpr, null);
        ok(tdh.vp().flush(cpu, tdvpr));
        ok(tdh.mng().vpflushdone(cpu, tdr));
        ok(tdh.phymem().cacheWb(cpu, false));
        ok(tdh.mng().keyFreeid(cpu, tdr));
        host.keyIds().free(hkid);
        released = true;
    }

    /** PHYMEM.PAGE.RECLAIM of each guest page. */
    void reclaim() {
        phase = Phase.ABSENT;
        for (int i = 0; i < PAGES; i++) {
            ok(tdh.phymem().pageReclaim(cpu, hpa(i)));
        }
    }

    /** Gives everything back. */
    void close() {
        if (!released) {
            release();
        }
        if (phase != Phase.ABSENT) {
            reclaim();
        }
        for (int i = 0; i < PAGES; i++) {
            host.backing().put(cpu, first + i);
        }
        host.pages().freeRange(first, PAGES, PageUse.GUEST_PRIVATE);
        for (long page : tables) {
            ok(tdh.phymem().pageReclaim(cpu, Addresses.hpa(page)));
        }
        tables.addAll(spareTables);
        for (long page : tables) {
            host.backing().put(cpu, page);
            host.pages().free(page, PageUse.SEPT);
        }
        for (long page : control) {
            ok(tdh.phymem().pageReclaim(cpu, Addresses.hpa(page)));
            host.controlPages().free(cpu, page);
        }
        ok(tdh.phymem().pageReclaim(cpu, tdr));
        ok(tdh.phymem().pageWbinvd(cpu, tdr, host.globalKeyId()));
        host.controlPages().free(cpu, Addresses.pfn(tdr));
    }
}
