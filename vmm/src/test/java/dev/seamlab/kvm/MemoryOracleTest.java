// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static dev.seamlab.kvm.KvmRig.ok;
import static dev.seamlab.kvm.MemoryOracle.UNIT;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.guest.ProgramRunner;
import dev.seamlab.host.Preset;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.kvm.MemoryOracle.File;
import dev.seamlab.kvm.MemoryOracle.Private;
import dev.seamlab.kvm.MemoryOracle.Slot;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.GuestCode;
import dev.seamlab.machine.GuestMode;
import dev.seamlab.machine.GuestMode.Outcome;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.TdcallLeaf;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.lifecycle.AfterProperty;

/**
 * Whatever user space does to the memory of a TD, and its guest in between: slots, attributes,
 * files, pre-faults, accesses, 2M pages. After each step every page is mapped as {@link
 * MemoryOracle} says, private or shared, and holds what was written to it last.
 */
class MemoryOracleTest {
    private static final int UNITS = 4;
    private static final int PAGES = UNITS * UNIT;
    private static final long SHARED_BIT = 1L << 47;
    private static final long DEBUG = 1;
    private static final TdConfig CONFIG =
            new TdConfig(KvmRig.CONFIG.attributes() | DEBUG, 3, KvmRig.CONFIG.gpaWidth());

    /** What the steps came to, over all programs. */
    private static final Map<String, Integer> MET = new TreeMap<>();

    sealed interface Op {
        record SetSlot(int id, int base, int pages, int file, int offset) implements Op {}

        record DeleteSlot(int id) implements Op {}

        record SetAttributes(int from, int pages, boolean privately) implements Op {}

        record Punch(int from, int pages, boolean privately) implements Op {}

        record Fallocate(int file, int from, int pages, boolean punch) implements Op {}

        record PreFault(int from, int pages) implements Op {}

        record Accept(int from, int pages) implements Op {}

        record AcceptLarge(int unit) implements Op {}

        record Access(int page, boolean privately, long value) implements Op {}

        record UserWrites(int page, long value) implements Op {}

        record Collapse(int unit) implements Op {}
    }

    /** A guest that does one thing, tells how it went, and lets user space run. */
    private abstract static class OneThing implements GuestCode {
        boolean done;

        /** Whether it is done. */
        abstract boolean attempt(GuestMode cpu);

        @Override
        public void step(GuestMode cpu) {
            if (!done) {
                done = attempt(cpu);
                return;
            }
            Registers regs = cpu.gprs().clear();
            regs.set(Registers.RCX, 0xFC00);
            regs.set(Registers.R11, 30);
            regs.set(Registers.R12, 2);
            regs.set(Registers.R13, 1);
            regs.set(Registers.R14, ProgramRunner.POWER_PORT);
            regs.set(Registers.R15, ProgramRunner.POWER_OFF);
            var _ = cpu.tdcall();
        }
    }

    private static final class AcceptPage extends OneThing {
        final long operand;
        long status;

        AcceptPage(long operand) {
            this.operand = operand;
        }

        @Override
        boolean attempt(GuestMode cpu) {
            cpu.gprs().clear().rax(TdcallLeaf.MEM_PAGE_ACCEPT.number()).rcx(operand);
            if (cpu.tdcall() != Outcome.DONE) {
                return false;
            }
            status = cpu.gprs().rax();
            return true;
        }
    }

    /** Reads eight bytes and writes others. */
    private static final class Exchange extends OneThing {
        final long gpa;
        final byte[] found = new byte[8];
        final byte[] written;

        Exchange(long gpa, long value) {
            this.gpa = gpa;
            this.written = bytes(value);
        }

        @Override
        boolean attempt(GuestMode cpu) {
            return cpu.read(gpa, found, 0, 8) == Outcome.DONE
                    && cpu.write(gpa, written, 0, 8) == Outcome.DONE;
        }
    }

    /** One TD and what should be in its memory. */
    private static final class Run implements AutoCloseable {
        final KvmRig rig;
        final KvmTdx vm;
        final KvmVcpu vcpu;
        final boolean large;
        final MemoryOracle oracle = new MemoryOracle();

        Run(Preset preset, boolean large) {
            rig = new KvmRig(preset);
            vm = rig.vm(1);
            this.large = large;
            if (large) {
                ok(vm.enableLargePages());
            }
            ok(vm.initVm(CONFIG));
            vcpu = KvmRig.vcpu(vm);
            ok(vcpu.init(0));
            ok(vm.finalizeVm());
            for (int i = 0; i < 2; i++) {
                GuestMemfd file = vm.createGuestMemfd((long) PAGES << Addresses.PAGE_SHIFT);
                assertThat(file).isNotNull();
                oracle.files.add(new File(file));
            }
        }

        @Override
        public void close() {
            rig.close();
        }

        void step(Op op) {
            switch (op) {
                case Op.SetSlot(int id, int base, int pages, int file, int offset) ->
                        setSlot(id, base, pages, file, offset);
                case Op.DeleteSlot(int id) ->
                        same(
                                "delete slot",
                                vm.setUserMemoryRegion(UserMemoryRegion.delete(id)),
                                oracle.delete(id));
                case Op.SetAttributes(int from, int pages, boolean privately) -> {
                    ok(vm.setMemoryAttributes(at(from), size(pages), privately));
                    oracle.setAttributes(from, from + (long) pages, privately);
                }
                case Op.Punch(int from, int pages, boolean privately) -> {
                    ok(vm.punch(at(from), size(pages), privately));
                    oracle.punch(from, from + (long) pages, privately);
                }
                case Op.Fallocate(int file, int from, int pages, boolean punch) ->
                        fallocate(oracle.files.get(file), from, from + (long) pages, punch);
                case Op.PreFault(int from, int pages) -> preFault(from, pages);
                case Op.Accept(int from, int pages) -> {
                    for (int page = from; page < from + pages; page++) {
                        accept(page);
                    }
                }
                case Op.AcceptLarge(int unit) -> acceptLarge((long) unit * UNIT);
                case Op.Access(int page, boolean privately, long value) ->
                        access(page, privately, value);
                case Op.UserWrites(int page, long value) -> userWrites(page, value);
                case Op.Collapse(int unit) -> collapse((long) unit * UNIT);
            }
        }

        private static void same(String what, int errno, int expected) {
            assertThat(Errno.name(errno)).as(what).isEqualTo(Errno.name(expected));
            met(what + " " + Errno.name(errno));
        }

        private void setSlot(int id, int base, int pages, int file, int offset) {
            File wanted = file < 0 ? null : oracle.files.get(file);
            int errno =
                    vm.setUserMemoryRegion(
                            new UserMemoryRegion(
                                    id,
                                    wanted == null ? 0 : UserMemoryRegion.GUEST_MEMFD,
                                    at(base),
                                    size(pages),
                                    0x7000_0000L,
                                    wanted == null ? null : wanted.real,
                                    wanted == null ? 0 : at(offset)));
            same("set slot", errno, oracle.create(id, base, pages, wanted, offset));
        }

        private void fallocate(File file, long from, long to, boolean punch) {
            int mode = GuestMemfd.KEEP_SIZE | (punch ? GuestMemfd.PUNCH_HOLE : 0);
            int expected =
                    punch ? oracle.punchFile(file, from, to) : oracle.allocateFile(file, from, to);
            int errno = file.real.fallocate(mode, at(from), size(to - from));
            same(punch ? "punch file" : "allocate file", errno, expected);
        }

        private void preFault(int from, int pages) {
            long gfn = from;
            int stopped = Errno.OK;
            for (; gfn < from + (long) pages; gfn++) {
                if (oracle.slotOf(gfn) == null) {
                    stopped = Errno.ENOENT;
                    break;
                }
                if (!oracle.admits(gfn, oracle.isPrivate.get((int) gfn))) {
                    stopped = Errno.EFAULT;
                    break;
                }
                oracle.map(gfn);
            }
            PreFault range = new PreFault(at(from), size(pages), 0);
            same("pre-fault", vcpu.preFaultMemory(range), gfn == from ? stopped : Errno.OK);
            assertThat(range.gpa()).isEqualTo(at(gfn));
            assertThat(range.size()).isEqualTo(size(from + pages - gfn));
        }

        // -------------------------------------------------------------- the guest

        /** Whether the guest did it; if not, user space heard that the attribute is another. */
        private boolean guest(OneThing thing, @Gfn long gfn, boolean privately) {
            vcpu.bindGuest(thing);
            KvmExit exit = vcpu.run();
            if (oracle.admits(gfn, privately)) {
                assertThat(exit).isInstanceOf(KvmExit.PortOut.class);
                assertThat(thing.done).isTrue();
                return true;
            }
            assertThat(exit).isEqualTo(new KvmExit.MemoryFault(at(gfn), privately));
            assertThat(thing.done).isFalse();
            met("memory fault");
            return false;
        }

        private void accept(@Gfn long gfn) {
            AcceptPage accept = new AcceptPage(at(gfn) | PageInfo.LEVEL_4K);
            if (!guest(accept, gfn, true)) {
                return;
            }
            oracle.map(gfn);
            Private page = oracle.privateMapped.get(gfn);
            if (page.accepted) {
                assertThat(StatusCode.of(accept.status))
                        .isEqualTo(StatusCode.PAGE_ALREADY_ACCEPTED);
                met("accept again");
            } else {
                assertThat(Status.show(accept.status)).isEqualTo(Status.show(Status.SUCCESS));
                page.accepted = true;
                page.content = 0;
                met("accept");
            }
        }

        private void acceptLarge(@Gfn long first) {
            AcceptPage accept = new AcceptPage(at(first) | PageInfo.LEVEL_2M);
            boolean table = oracle.tables.get((int) first / UNIT);
            if (!table && !guest(accept, first, true)) {
                return;
            }
            if (table) {
                // The module sees the table, whatever KVM's attributes say.
                vcpu.bindGuest(accept);
                assertThat(vcpu.run()).isInstanceOf(KvmExit.PortOut.class);
                assertThat(StatusCode.of(accept.status)).isEqualTo(StatusCode.PAGE_SIZE_MISMATCH);
                met("accept 2M over a table");
            } else if (oracle.privateMapped.containsKey(first)) {
                assertThat(StatusCode.of(accept.status))
                        .isEqualTo(StatusCode.PAGE_ALREADY_ACCEPTED);
                met("accept 2M again");
            } else if (accept.status == Status.SUCCESS) {
                assertThat(large).isTrue();
                assertThat(oracle.isCovered(first)).isTrue();
                oracle.acceptLarge(first);
                met("accept 2M");
            } else {
                assertThat(StatusCode.of(accept.status)).isEqualTo(StatusCode.PAGE_SIZE_MISMATCH);
                assertThat(large && oracle.isCovered(first) && oracle.isWhole(first))
                        .as("could have been mapped at 2M")
                        .isFalse();
                oracle.map(first);
                met("accept 2M refused");
            }
        }

        private void access(@Gfn long gfn, boolean privately, long value) {
            Private page = oracle.privateMapped.get(gfn);
            if (privately && oracle.admits(gfn, true) && (page == null || !page.accepted)) {
                return; // would end the TD: SEPT_VE_DISABLE
            }
            Exchange exchange = new Exchange(at(gfn) + 16 | (privately ? 0 : SHARED_BIT), value);
            if (!guest(exchange, gfn, privately)) {
                return;
            }
            long before;
            if (privately) {
                before = page.content;
                page.content = value;
            } else {
                oracle.map(gfn);
                before = write(gfn, value);
            }
            assertThat(exchange.found).as("what the guest read").isEqualTo(bytes(before));
            met(privately ? "access private" : "access shared");
        }

        private long write(@Gfn long gfn, long value) {
            Slot slot = oracle.slotOf(gfn);
            assertThat(slot).isNotNull();
            Long before = slot.user().pages.put(gfn - slot.base(), value);
            return before == null ? 0 : before;
        }

        private void userWrites(@Gfn long gfn, long value) {
            if (oracle.slotOf(gfn) == null) {
                return;
            }
            HostCpu cpu = vm.claimAny();
            try {
                ok(vm.guestMap().writeShared(cpu, at(gfn) + 16, bytes(value), 0, 8));
            } finally {
                vm.release(cpu);
            }
            write(gfn, value);
        }

        private void collapse(@Gfn long first) {
            int unit = (int) first / UNIT;
            var pages = oracle.privateMapped.subMap(first, first + UNIT);
            long accepted = pages.values().stream().filter(page -> page.accepted).count();
            boolean all = large && oracle.tables.get(unit) && pages.size() == UNIT;
            boolean sameState = accepted == 0 || accepted == UNIT;
            int result = vm.collapse(at(first));
            met("collapse " + Errno.name(result));
            switch (result) {
                case Errno.OK -> {
                    assertThat(all && sameState && oracle.isCovered(first))
                            .as("collapse of %d", unit)
                            .isTrue();
                    oracle.tables.clear(unit);
                }
                case Errno.EAGAIN -> assertThat(all && !sameState).isTrue();
                default -> {
                    assertThat(Errno.name(result)).isEqualTo("EINVAL");
                    assertThat(all && oracle.isCovered(first) && oracle.isWhole(first))
                            .as("collapse of %d was refused", unit)
                            .isFalse();
                }
            }
        }

        // -------------------------------------------------------------- what is there

        void check() {
            Set<Long> hostPages = new HashSet<>();
            TreeMap<Long, Private> left = new TreeMap<>(oracle.privateMapped);
            long[] shared = new long[1];
            HostCpu cpu = vm.claimAny();
            try {
                long next =
                        vm.guestMap()
                                .walk(
                                        cpu,
                                        0,
                                        Integer.MAX_VALUE,
                                        entry -> {
                                            long gfn = Addresses.gfn(entry.gpa());
                                            if (entry.isPrivate()) {
                                                privateEntry(entry, gfn, left);
                                            } else {
                                                assertThat(oracle.sharedMapped.get((int) gfn))
                                                        .as("shared page %d", gfn)
                                                        .isTrue();
                                                shared[0]++;
                                            }
                                            for (long i = 0; i < entry.pages(); i++) {
                                                assertThat(
                                                                hostPages.add(
                                                                        entry.hpa()
                                                                                + Addresses.hpa(i)))
                                                        .isTrue();
                                            }
                                        });
                assertThat(next).isEqualTo(GuestMap.END);
            } finally {
                vm.release(cpu);
            }
            assertThat(left.keySet()).as("private pages that are not mapped").isEmpty();
            assertThat(shared[0]).isEqualTo(oracle.sharedMapped.cardinality());
            assertThat(vm.books().gmemPages()).as("pages of files").isEqualTo(oracle.gmemPages());
            assertThat(vm.books().sharedPages()).as("user pages").isEqualTo(oracle.userPages());
            oracle.files.forEach(file ->
                    assertThat(file.real.allocatedPages()).isEqualTo(file.allocated.cardinality()));
        }

        private void privateEntry(
                GuestMap.Entry entry, @Gfn long gfn, Map<Long, Private> expected) {
            for (long i = gfn; i < gfn + entry.pages(); i++) {
                Private page = expected.remove(i);
                assertThat(page).as("private page %d is mapped", i).isNotNull();
                assertThat(entry.state())
                        .as("state of private page %d", i)
                        .isEqualTo(page.accepted ? SeptEntryState.MAPPED : SeptEntryState.PENDING);
            }
            assertThat(entry.level() == PageInfo.LEVEL_2M)
                    .as("2M leaf at %d", gfn)
                    .isEqualTo(!oracle.tables.get((int) gfn / UNIT));
        }

        /** Private memory by TDH.MEM.RD, user memory as user space sees it. */
        void checkContents() {
            HostCpu cpu = vm.claimAny();
            try {
                oracle.privateMapped.forEach((gfn, page) -> {
                    if (page.accepted) {
                        long status = vm.guestMap().readPrivate(cpu, at(gfn) + 16);
                        assertThat(Status.show(status)).isEqualTo(Status.show(Status.SUCCESS));
                        assertThat(cpu.regs().r8())
                                .as("content of %d", gfn)
                                .isEqualTo(page.content);
                    }
                });
            } finally {
                vm.release(cpu);
            }
            byte[] found = new byte[8];
            for (Slot slot : oracle.slots.values()) {
                for (long i = 0; i < slot.pages(); i++) {
                    vm.guestMap().readShared(at(slot.base() + i) + 16, found, 0, 8);
                    assertThat(found)
                            .as("user memory at %d", slot.base() + i)
                            .isEqualTo(bytes(slot.user().pages.getOrDefault(i, 0L)));
                }
            }
        }
    }

    private static long at(long gfn) {
        return gfn << Addresses.PAGE_SHIFT;
    }

    private static long size(long pages) {
        return pages << Addresses.PAGE_SHIFT;
    }

    private static byte[] bytes(long value) {
        return ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
    }

    private static void met(String what) {
        MET.merge(what, 1, Integer::sum);
    }

    // One seed: which answers the programs meet, see below, must not be left to chance.
    @Property(tries = 60, edgeCases = EdgeCasesMode.NONE, seed = "20261121")
    void anyProgram_everyPageIsWhereAndWhatItShouldBe(
            @ForAll Preset preset,
            @ForAll boolean large,
            @ForAll("starts") List<Op> start,
            @ForAll("programs") List<Op> program) {
        try (Run run = new Run(preset, large)) {
            start.forEach(run::step);
            for (Op op : program) {
                run.step(op);
                run.check();
            }
            run.checkContents();
            assertThat(run.vm.isDead()).isFalse();
            assertThat(run.vm.stats().get(Counter.LEAKED_PAGES)).isZero();
        }
    }

    /** The programs are worth something only if they get everywhere. */
    @AfterProperty
    void programsGotEverywhere() {
        assertThat(MET)
                .containsKeys(
                        "set slot OK",
                        "set slot EEXIST",
                        "set slot EINVAL",
                        "delete slot OK",
                        "delete slot EINVAL",
                        "punch file OK",
                        "allocate file OK",
                        "pre-fault OK",
                        "pre-fault ENOENT",
                        "pre-fault EFAULT",
                        "memory fault",
                        "accept",
                        "accept again",
                        "accept 2M",
                        "accept 2M again",
                        "accept 2M over a table",
                        "accept 2M refused",
                        "access private",
                        "access shared",
                        "collapse OK",
                        "collapse EAGAIN",
                        "collapse EINVAL");
    }

    // ------------------------------------------------------------------ programs

    /**
     * No memory at all; all of it in one slot; in two halves, with 2M leaves; a leaf that was split
     * and is whole again; contiguous pages of the file under two slots. All of it private.
     */
    @Provide
    Arbitrary<List<Op>> starts() {
        Op all = new Op.SetAttributes(0, PAGES, true);
        Op one = new Op.SetSlot(0, 0, PAGES, 0, 0);
        return Arbitraries.of(
                List.of(),
                List.of(one, all),
                List.of(
                        new Op.SetSlot(0, 0, PAGES / 2, 0, 0),
                        new Op.SetSlot(1, PAGES / 2, PAGES / 2, 0, PAGES / 2),
                        all,
                        new Op.AcceptLarge(0),
                        new Op.AcceptLarge(2)),
                List.of(
                        one,
                        all,
                        new Op.AcceptLarge(1),
                        new Op.Access(UNIT + 2, true, 5),
                        new Op.SetAttributes(UNIT + 1, 1, false),
                        new Op.SetAttributes(UNIT + 1, 1, true),
                        new Op.Collapse(1),
                        new Op.PreFault(UNIT + 1, 1),
                        new Op.Collapse(1),
                        new Op.Accept(UNIT + 1, 1),
                        new Op.Collapse(1)),
                List.of(
                        one,
                        all,
                        new Op.AcceptLarge(0),
                        new Op.DeleteSlot(0),
                        new Op.SetSlot(0, 0, UNIT / 2, 0, 0),
                        new Op.SetSlot(1, UNIT / 2, UNIT, 0, UNIT / 2),
                        new Op.Accept(0, UNIT),
                        new Op.Collapse(0)));
    }

    @Provide
    Arbitrary<List<Op>> programs() {
        Arbitrary<Integer> id = Arbitraries.integers().between(0, 3);
        Arbitrary<Integer> file = Arbitraries.integers().between(0, 1);
        Arbitrary<Integer> unit = Arbitraries.integers().between(0, UNITS - 1);
        Arbitrary<Boolean> privately = Arbitraries.of(true, false);
        Arbitrary<Long> value = Arbitraries.longs();
        // Borders of units and their neighbours; whole units now and then.
        Arbitrary<Integer> page =
                Combinators.combine(unit, Arbitraries.of(0, 0, 1, 2, 255, 256, 510, 511))
                        .as((u, i) -> u * UNIT + i);
        Arbitrary<Integer> few = Arbitraries.of(1, 1, 2, 3, 5);
        Arbitrary<Integer> many = Arbitraries.of(1, 2, 256, UNIT, UNIT, UNIT + 1, 2 * UNIT, PAGES);
        Arbitrary<Op> setSlot =
                Combinators.combine(id, page, many, Arbitraries.integers().between(-1, 1), page)
                        .as(Op.SetSlot::new);
        Arbitrary<Op> attributes =
                Combinators.combine(page, Arbitraries.oneOf(few, many), privately)
                        .as(Op.SetAttributes::new);
        Arbitrary<Op> punch =
                Combinators.combine(page, Arbitraries.oneOf(few, many), privately)
                        .as(Op.Punch::new);
        Arbitrary<Op> fallocate =
                Combinators.combine(file, page, Arbitraries.oneOf(few, many), privately)
                        .as(Op.Fallocate::new);
        Arbitrary<Op> preFault =
                Combinators.combine(page, Arbitraries.of(1, 2, 5, UNIT)).as(Op.PreFault::new);
        Arbitrary<Op> accept =
                Combinators.combine(page, Arbitraries.of(1, 1, 2, 5, UNIT)).as(Op.Accept::new);
        Arbitrary<Op> access = Combinators.combine(page, privately, value).as(Op.Access::new);
        Arbitrary<Op> userWrites = Combinators.combine(page, value).as(Op.UserWrites::new);
        return Arbitraries.oneOf(
                        List.of(
                                setSlot,
                                id.map(Op.DeleteSlot::new),
                                attributes,
                                attributes,
                                punch,
                                fallocate,
                                preFault,
                                accept,
                                accept,
                                unit.map(Op.AcceptLarge::new),
                                access,
                                access,
                                userWrites,
                                unit.map(Op.Collapse::new)))
                .list()
                .ofMinSize(20)
                .ofMaxSize(80);
    }
}
