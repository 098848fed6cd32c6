// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static dev.seamlab.kvm.KvmRig.ok;
import static dev.seamlab.kvm.MemoryOracle.UNIT;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.Preset;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.MemoryOracle.File;
import dev.seamlab.kvm.MemoryOracle.Private;
import dev.seamlab.kvm.MemoryOracle.Slot;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/** One TD and what should be in its memory. */
final class MemoryRun implements AutoCloseable {
    private static final long SHARED_BIT = 1L << 47;
    private static final long DEBUG = 1;
    private static final TdConfig CONFIG =
            new TdConfig(KvmRig.CONFIG.attributes() | DEBUG, 3, KvmRig.CONFIG.gpaWidth());

    final KvmRig rig;
    final KvmTdx vm;
    final KvmVcpu vcpu;
    final boolean large;
    final MemoryOracle oracle = new MemoryOracle();
    private final Map<String, Integer> met;

    /**
     * @param pages of its files
     * @param met what the steps came to is counted there
     */
    MemoryRun(Preset preset, boolean large, int pages, Map<String, Integer> met) {
        this.met = met;
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
            GuestMemfd file = vm.createGuestMemfd((long) pages << Addresses.PAGE_SHIFT);
            assertThat(file).isNotNull();
            oracle.files.add(new File(file));
        }
    }

    @Override
    public void close() {
        rig.close();
    }

    void step(MemoryOp op) {
        switch (op) {
            case MemoryOp.SetSlot(int id, int base, int pages, int file, int offset) ->
                    setSlot(id, base, pages, file, offset);
            case MemoryOp.DeleteSlot(int id) ->
                    same(
                            "delete slot",
                            vm.setUserMemoryRegion(UserMemoryRegion.delete(id)),
                            oracle.delete(id));
            case MemoryOp.SetAttributes(int from, int pages, boolean privately) -> {
                ok(vm.setMemoryAttributes(at(from), size(pages), privately));
                oracle.setAttributes(from, from + (long) pages, privately);
            }
            case MemoryOp.Punch(int from, int pages, boolean privately) -> {
                ok(vm.punch(at(from), size(pages), privately));
                oracle.punch(from, from + (long) pages, privately);
            }
            case MemoryOp.Fallocate(int file, int from, int pages, boolean punch) ->
                    fallocate(oracle.files.get(file), from, from + (long) pages, punch);
            case MemoryOp.PreFault(int from, int pages) -> preFault(from, pages);
            case MemoryOp.Accept(int from, int pages) -> {
                for (int page = from; page < from + pages; page++) {
                    accept(page);
                }
            }
            case MemoryOp.AcceptLarge(int unit) -> acceptLarge((long) unit * UNIT);
            case MemoryOp.Access(int page, boolean privately, long value) ->
                    access(page, privately, value);
            case MemoryOp.UserWrites(int page, long value) -> userWrites(page, value);
            case MemoryOp.Collapse(int unit) -> collapse((long) unit * UNIT);
        }
    }

    private void same(String what, int errno, int expected) {
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
        OneThing.AcceptPage accept = new OneThing.AcceptPage(at(gfn) | PageInfo.LEVEL_4K);
        if (!guest(accept, gfn, true)) {
            return;
        }
        oracle.map(gfn);
        Private page = oracle.privateMapped.get(gfn);
        if (page.accepted) {
            assertThat(StatusCode.of(accept.status)).isEqualTo(StatusCode.PAGE_ALREADY_ACCEPTED);
            met("accept again");
        } else {
            assertThat(Status.show(accept.status)).isEqualTo(Status.show(Status.SUCCESS));
            page.accepted = true;
            page.content = 0;
            met("accept");
        }
    }

    private void acceptLarge(@Gfn long first) {
        OneThing.AcceptPage accept = new OneThing.AcceptPage(at(first) | PageInfo.LEVEL_2M);
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
            assertThat(StatusCode.of(accept.status)).isEqualTo(StatusCode.PAGE_ALREADY_ACCEPTED);
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
        OneThing.Exchange exchange =
                new OneThing.Exchange(at(gfn) + 16 | (privately ? 0 : SHARED_BIT), value);
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
                                                                    entry.hpa() + Addresses.hpa(i)))
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

    private void privateEntry(GuestMap.Entry entry, @Gfn long gfn, Map<Long, Private> expected) {
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
                    assertThat(cpu.regs().r8()).as("content of %d", gfn).isEqualTo(page.content);
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

    // ------------------------------------------------------------------ small things

    private static long at(long gfn) {
        return gfn << Addresses.PAGE_SHIFT;
    }

    private static long size(long pages) {
        return pages << Addresses.PAGE_SHIFT;
    }

    static byte[] bytes(long value) {
        return ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(value).array();
    }

    private void met(String what) {
        met.merge(what, 1, Integer::sum);
    }
}
