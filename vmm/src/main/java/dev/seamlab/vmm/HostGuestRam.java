// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.GuestMap;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.kvm.MemoryChange;
import dev.seamlab.kvm.ModuleAnswer;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.Hpa;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.Status;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/** Guest memory of the trust domains of one host. */
final class HostGuestRam implements GuestRam {
    /** Entries looked at while the world is stopped, before it may go on for a moment. */
    private static final int AT_ONCE = 4096;

    /** Bytes that are pre-faulted before others get at the TD. */
    private static final long PRE_FAULT_AT_ONCE = 2 * Addresses.RANGE_SIZE;

    private static final int TYPE_MASK = 0xF;

    /** No guest has as many bits. */
    private static final long ADDRESS_END = 1L << 52;

    private final TdxHost host;
    private final Function<String, Outcome<Td>> tds;
    private final LongFunction<String> owners;
    private final HostPamtView pamt;

    /**
     * @param tds by id
     * @param owners id of the trust domain with a TDR; empty where none has
     */
    HostGuestRam(
            TdxHost host,
            Function<String, Outcome<Td>> tds,
            LongFunction<String> owners,
            HostPamtView pamt) {
        this.host = host;
        this.tds = tds;
        this.owners = owners;
        this.pamt = pamt;
    }

    private <T> Outcome<T> with(String id, Function<Td, Outcome<T>> work) {
        return switch (tds.apply(id)) {
            case Outcome.Done<Td>(Td td) -> work.apply(td);
            case Outcome.Refused<Td>(Refusal refusal) -> Outcome.refused(refusal);
        };
    }

    // ------------------------------------------------------------------ changes

    @Override
    public Outcome<Long> convert(String id, @Gpa long gpa, long bytes, boolean toPrivate) {
        String step = "KVM_SET_MEMORY_ATTRIBUTES";
        return with(
                id,
                td ->
                        change(
                                td,
                                step,
                                gpa,
                                bytes,
                                vm ->
                                        counted(
                                                td.id(),
                                                vm,
                                                step,
                                                vm.convert(gpa, bytes, toPrivate))));
    }

    @Override
    public Outcome<Long> punch(String id, @Gpa long gpa, long bytes) {
        String step = "fallocate";
        return with(
                id,
                td ->
                        change(
                                td,
                                step,
                                gpa,
                                bytes,
                                vm -> counted(td.id(), vm, step, vm.punchPrivate(gpa, bytes))));
    }

    private static Outcome<Long> change(
            Td td, String step, @Gpa long gpa, long bytes, Function<KvmTdx, Outcome<Long>> work) {
        Refusal bad = wholePages(td, gpa, bytes);
        return bad != null ? Outcome.refused(bad) : td.withMemory(step, work);
    }

    private static Outcome<Long> counted(String id, KvmTdx vm, String step, MemoryChange change) {
        return change.errno() == Errno.OK
                ? Outcome.done(change.pages())
                : Outcome.refused(failure(id, vm, step, change.errno()));
    }

    @Override
    public Outcome<Long> preFault(String id, @Gpa long gpa, long bytes, BooleanSupplier abandoned) {
        return with(
                id,
                td -> {
                    Refusal bad = wholePages(td, gpa, bytes);
                    return bad != null ? Outcome.refused(bad) : preFault(td, gpa, bytes, abandoned);
                });
    }

    private static Outcome<Long> preFault(
            Td td, @Gpa long gpa, long bytes, BooleanSupplier abandoned) {
        String step = "KVM_PRE_FAULT_MEMORY";
        long mapped = 0;
        while (mapped < bytes) {
            if (abandoned.getAsBoolean()) {
                return mapped > 0
                        ? Outcome.done(mapped)
                        : Outcome.refused(new Refusal.Cancelled(step));
            }
            long from = gpa + mapped;
            long piece = Math.min(PRE_FAULT_AT_ONCE, bytes - mapped);
            Outcome<Long> part = td.preFault(step, from, piece);
            if (part instanceof Outcome.Done<Long>(Long done)) {
                mapped += done;
            } else {
                return mapped > 0 ? Outcome.done(mapped) : part;
            }
        }
        return Outcome.done(mapped);
    }

    /** Why KVM did not do it. */
    static Refusal failure(String id, KvmTdx vm, String step, int errno) {
        if (errno == Errno.ENOMEM) {
            return new Refusal.NoMemory("guest memory");
        }
        ModuleAnswer answer = vm.lastAnswer();
        if (errno == Errno.EIO && vm.isBugged() && answer != null) {
            return new Refusal.ModuleRefused(step, answer.leaf().abiName(), answer.status());
        }
        return vm.isDead()
                ? new Refusal.VmDead(id, step)
                : new Refusal.HostError(step, Errno.name(errno), "");
    }

    // ------------------------------------------------------------------ arguments

    private static @Nullable Refusal wholePages(Td td, @Gpa long gpa, long bytes) {
        return range(td, gpa, bytes, Addresses.PAGE_SIZE);
    }

    private static @Nullable Refusal range(Td td, @Gpa long gpa, long bytes, long unit) {
        if (!Addresses.isAligned(gpa, unit)) {
            return new Refusal.BadRange("gpa", "must be a multiple of " + unit);
        }
        if (bytes <= 0 || !Addresses.isAligned(bytes, unit)) {
            return new Refusal.BadRange(
                    "size_bytes", "must be a multiple of " + unit + " and above 0");
        }
        if (gpa < 0 || gpa >= ADDRESS_END || bytes > ADDRESS_END || !td.covers(gpa, bytes)) {
            return new Refusal.BadRange(
                    "gpa", "the trust domain has no memory in all of the range: " + td.memoryMap());
        }
        return null;
    }

    // ------------------------------------------------------------------ looking

    @Override
    public Outcome<Mappings> mappings(
            String id, @Gpa long from, int most, BooleanSupplier abandoned) {
        Joiner joiner = new Joiner();
        long gfn = Addresses.gfn(from);
        // One more than wanted: the one before it is complete only then.
        while (gfn != GuestMap.END && joiner.all.size() <= most) {
            if (abandoned.getAsBoolean()) {
                return Outcome.refused(new Refusal.Cancelled("the list of mappings"));
            }
            Outcome<Long> next = walk(id, gfn, joiner);
            switch (next) {
                case Outcome.Done<Long>(Long place) -> gfn = place;
                case Outcome.Refused<Long>(Refusal refusal) -> {
                    return Outcome.refused(refusal);
                }
            }
        }
        List<Mapping> all = joiner.all;
        return all.size() <= most
                ? Outcome.done(new Mappings(all, OptionalLong.empty()))
                : Outcome.done(
                        new Mappings(all.subList(0, most), OptionalLong.of(all.get(most).gpa())));
    }

    private Outcome<Long> walk(String id, @Gfn long from, GuestMap.Visitor visitor) {
        return with(
                id,
                td ->
                        td.withMemory(
                                "the list of mappings",
                                vm ->
                                        Outcome.done(
                                                Stopped.with(
                                                        host,
                                                        cpu -> walk(cpu, vm, from, visitor)))));
    }

    private static @Gfn long walk(
            HostCpu cpu, KvmTdx vm, @Gfn long from, GuestMap.Visitor visitor) {
        return vm.guestMap().walk(cpu, from, AT_ONCE, visitor);
    }

    /** Joins neighbours that are mapped alike. */
    private static final class Joiner implements GuestMap.Visitor {
        final List<Mapping> all = new ArrayList<>();

        @Override
        public void entry(GuestMap.Entry entry) {
            long bytes = entry.pages() << Addresses.PAGE_SHIFT;
            Mapping last = all.isEmpty() ? null : all.getLast();
            if (last != null
                    && last.gpa() + last.bytes() == entry.gpa()
                    && last.isPrivate() == entry.isPrivate()
                    && last.level() == entry.level()
                    && last.state() == entry.state()) {
                all.removeLast();
                all.add(
                        new Mapping(
                                last.gpa(),
                                last.bytes() + bytes,
                                last.isPrivate(),
                                last.level(),
                                last.state()));
            } else {
                all.add(
                        new Mapping(
                                entry.gpa(),
                                bytes,
                                entry.isPrivate(),
                                entry.level(),
                                entry.state()));
            }
        }
    }

    @Override
    public Outcome<GuestPage> page(String id, @Gpa long gpa) {
        long base = Addresses.alignDown(gpa, Addresses.PAGE_SIZE);
        return with(
                id,
                td -> {
                    Refusal bad = wholePages(td, base, Addresses.PAGE_SIZE);
                    return bad instanceof Refusal.BadRange(String _, String why)
                            ? Outcome.refused(new Refusal.BadRange("guest.gpa", why))
                            : td.withMemory(
                                    "page info",
                                    vm -> Stopped.with(host, cpu -> page(cpu, vm, base)));
                });
    }

    private Outcome<GuestPage> page(HostCpu cpu, KvmTdx vm, @Gpa long gpa) {
        GuestMap.Entry entry = vm.guestMap().page(cpu, gpa);
        if (entry == null) {
            return Outcome.refused(new Refusal.BadRange("guest.gpa", "no memory slot is there"));
        }
        HostPage page = entry.hpa() == GuestMap.NOTHING ? null : page(cpu, entry.hpa());
        return Outcome.done(new GuestPage(page, entry.isPrivate(), entry.state()));
    }

    @Override
    public HostPage page(@Hpa long hpa) {
        return Stopped.with(host, cpu -> page(cpu, Addresses.alignDown(hpa, Addresses.PAGE_SIZE)));
    }

    private HostPage page(HostCpu cpu, @Hpa long hpa) {
        long status = host.tdh().phymem().pageRdmd(cpu, hpa, PageInfo.LEVEL_4K);
        boolean known = status == Status.SUCCESS;
        long tdr = known ? cpu.regs().rdx() : 0;
        return new HostPage(
                hpa,
                known ? PageType.of((int) cpu.regs().rcx() & TYPE_MASK) : null,
                tdr,
                tdr == 0 ? "" : owners.apply(tdr),
                known ? (int) cpu.regs().r8() : 0,
                known ? cpu.regs().r9() : 0,
                pamt.refcount(hpa),
                holder(hpa));
    }

    private String holder(@Hpa long hpa) {
        if (!host.pages().manages(Addresses.pfn(hpa))) {
            return "";
        }
        PageUse use = host.pages().useOf(Addresses.pfn(hpa));
        if (use == null) {
            return "free";
        }
        return switch (use) {
            case CONTROL -> "td-control";
            case SEPT -> "secure-ept";
            case GUEST_PRIVATE -> "guest_memfd";
            case GUEST_SHARED -> "guest-shared";
            case PAMT_PAIR -> "pamt-pair";
            case PAMT_STATIC -> "pamt-reserved";
            case REFCOUNTS -> "pamt-refcounts";
            case BUFFER -> "buffer";
            case POOL, SEPT_READY -> "fault-pool";
            case HOST -> "host";
            case RESIDENT -> "resident";
            case LEAKED -> "leaked";
        };
    }

    // ------------------------------------------------------------------ contents

    @Override
    public Outcome<byte[]> read(String id, @Gpa long gpa, int bytes) {
        byte[] into = new byte[bytes];
        return switch (access(id, "reading", gpa, into, GuestContents::read)) {
            case Outcome.Done<Integer> _ -> Outcome.done(into);
            case Outcome.Refused<Integer>(Refusal refusal) -> Outcome.refused(refusal);
        };
    }

    @Override
    public Outcome<Integer> write(String id, @Gpa long gpa, byte[] data) {
        return access(id, "writing", gpa, data, GuestContents::write);
    }

    private Outcome<Integer> access(
            String id, String step, @Gpa long gpa, byte[] data, GuestContents.Piece piece) {
        return with(
                id,
                td -> {
                    Refusal bad = range(td, gpa, data.length, Long.BYTES);
                    return bad != null
                            ? Outcome.refused(bad)
                            : td.withMemory(
                                    step,
                                    vm ->
                                            Stopped.with(
                                                    host,
                                                    cpu ->
                                                            new GuestContents(id, vm, cpu)
                                                                    .byPage(gpa, data, piece)));
                });
    }
}
