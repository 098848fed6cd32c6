// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.kvm.MirrorEpt.Place;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.abi.Status;
import java.util.Arrays;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Guest memory of a TD as host, KVM and module know it, page by page: for those who look at it from
 * outside, never for faults. Whoever calls has the {@linkplain
 * dev.seamlab.host.cpu.StopMachine#whileStopped world stopped}: the questions to the module share
 * locks that a removal wants alone, and its BUSY would cost a page.
 */
public final class GuestMap {
    /** Where {@link #walk} has come to when nothing is left. */
    public static final @Gfn long END = -1;

    /** No host page. */
    public static final @Hpa long NOTHING = -1;

    private final KvmTdx vm;
    private final TdxHost host;

    GuestMap(KvmTdx vm, TdxHost host) {
        this.vm = vm;
        this.host = host;
    }

    /**
     * A guest page, or several in one entry.
     *
     * @param gpa first address
     * @param pages 4K pages from there to the end of the entry
     * @param isPrivate its attribute; for what is mapped, in which of the two EPTs
     * @param level of the entry, 0 for 4K
     * @param hpa host page, or {@link #NOTHING}
     * @param state of the Secure EPT entry; FREE for shared pages; null where the module does not
     *     tell, because the TD has no KeyID any more
     */
    public record Entry(
            @Gpa long gpa,
            long pages,
            boolean isPrivate,
            int level,
            @Hpa long hpa,
            @Nullable SeptEntryState state) {}

    /** Takes what is mapped. */
    @FunctionalInterface
    public interface Visitor {
        /** One entry; ascending. */
        void entry(Entry entry);
    }

    /**
     * Shows what is mapped from a page on, and stops after a while.
     *
     * @param most entries to look at
     * @return the page to go on from, or {@link #END}
     */
    public @Gfn long walk(HostCpu cpu, @Gfn long from, int most, Visitor visitor) {
        int left = most;
        for (Memslot slot : vm.slots().all()) {
            long gfn = Math.max(from, slot.base());
            while (gfn < slot.end()) {
                if (left-- == 0) {
                    return gfn;
                }
                gfn = step(cpu, slot, gfn, visitor);
            }
        }
        return END;
    }

    /** Looks at one place and returns the next. */
    private @Gfn long step(HostCpu cpu, Memslot slot, @Gfn long gfn, Visitor visitor) {
        Place place = place(gfn);
        long placeEnd = (gfn | (place.pages() - 1)) + 1;
        if (MirrorTable.isPresent(place.entry())) {
            visitor.entry(mappedPrivate(cpu, gfn, place, Math.min(placeEnd, slot.end()) - gfn));
            return placeEnd;
        }
        long index = slot.index(gfn);
        if (slot.sharedMappings().isUntouched(index)) {
            long unitEnd = slot.base() + (index | (Addresses.PAGES_PER_RANGE - 1)) + 1;
            return Math.min(placeEnd, unitEnd);
        }
        long pfn = slot.sharedMappings().get(index);
        if (pfn != PageTable512.NONE) {
            visitor.entry(shared(gfn, pfn));
        }
        return gfn + 1;
    }

    private Place place(@Gfn long gfn) {
        return vm.hasMirror() ? vm.mirror().find(gfn) : new Place(0, MirrorTable.EMPTY);
    }

    private Entry mappedPrivate(HostCpu cpu, @Gfn long gfn, Place place, long pages) {
        long inside = gfn & (place.pages() - 1);
        return new Entry(
                Addresses.gpa(gfn),
                pages,
                true,
                place.level(),
                Addresses.hpa(MirrorTable.pfn(place.entry()) + inside),
                septState(cpu, gfn, place.level()));
    }

    private static Entry shared(@Gfn long gfn, @Pfn long pfn) {
        long hpa = pfn == PageTable512.NONE ? NOTHING : Addresses.hpa(pfn);
        return new Entry(Addresses.gpa(gfn), 1, false, 0, hpa, SeptEntryState.FREE);
    }

    private @Nullable SeptEntryState septState(HostCpu cpu, @Gfn long gfn, int level) {
        if (!vm.hasKeyId() || vm.tdr() == 0) {
            return null;
        }
        long at = gfn & -(1L << (9 * level));
        long status = host.tdh().mem().septRd(cpu, vm.tdr(), Addresses.gpa(at), level);
        if (status != Status.SUCCESS) {
            return null;
        }
        int number = (int) (cpu.regs().rdx() >>> 8) & 0xFF;
        for (SeptEntryState state : SeptEntryState.values()) {
            if (state.publicNumber() == number) {
                return state;
            }
        }
        throw new AssertionError("TDH.MEM.SEPT.RD answered state " + number);
    }

    /** A guest page, mapped or not; null where no slot is. */
    public @Nullable Entry page(HostCpu cpu, @Gpa long gpa) {
        long gfn = Addresses.gfn(gpa);
        Memslot slot = vm.slots().find(gfn);
        if (slot == null) {
            return null;
        }
        long index = slot.index(gfn);
        if (!slot.attributes().isPrivate(index)) {
            return shared(gfn, slot.shared().peek(index));
        }
        Place place = place(gfn);
        if (MirrorTable.isPresent(place.entry())) {
            return mappedPrivate(cpu, gfn, place, 1);
        }
        long pfn = slot.memfd() == null ? PageTable512.NONE : slot.gmem().peek(index);
        return new Entry(
                Addresses.gpa(gfn),
                1,
                true,
                0,
                pfn == PageTable512.NONE ? NOTHING : Addresses.hpa(pfn),
                SeptEntryState.FREE);
    }

    /** Whether a guest page is private; false also where no slot is. */
    public boolean isPrivate(@Gpa long gpa) {
        long gfn = Addresses.gfn(gpa);
        Memslot slot = vm.slots().find(gfn);
        return slot != null && slot.attributes().isPrivate(slot.index(gfn));
    }

    /** Reads shared memory within one page, as user space would; untouched memory is zero. */
    public void readShared(@Gpa long gpa, byte[] into, int at, int length) {
        Memslot slot = slotOf(gpa);
        long pfn = slot.shared().peek(slot.index(Addresses.gfn(gpa)));
        if (pfn == PageTable512.NONE) {
            Arrays.fill(into, at, at + length, (byte) 0);
        } else {
            host.machine().memory().read(inPage(pfn, gpa), into, at, length);
        }
    }

    /** Writes shared memory within one page, as user space would; OK or ENOMEM. */
    public int writeShared(HostCpu cpu, @Gpa long gpa, byte[] from, int at, int length) {
        Memslot slot = slotOf(gpa);
        long pfn =
                slot.shared().getOrAllocate(cpu, VmMemory.NO_VCPU, slot.index(Addresses.gfn(gpa)));
        if (pfn == PageAllocator.NONE) {
            return Errno.ENOMEM;
        }
        host.machine().memory().write(inPage(pfn, gpa), from, at, length);
        return Errno.OK;
    }

    /** TDH.MEM.RD: eight bytes of private memory, into R8. Returns the status. */
    public long readPrivate(HostCpu cpu, @Gpa long gpa) {
        return host.tdh().mem().rd(cpu, vm.tdr(), gpa);
    }

    /** TDH.MEM.WR: eight bytes of private memory. Returns the status. */
    public long writePrivate(HostCpu cpu, @Gpa long gpa, long value) {
        return host.tdh().mem().wr(cpu, vm.tdr(), gpa, value);
    }

    /** Shows the first host page of each private leaf of a level: what the module holds there. */
    public void forEachLeaf(int level, LongConsumer firstPfn) {
        if (!vm.hasMirror()) {
            return;
        }
        vm.mirror()
                .forEach((gfn, at, entry) -> {
                    if (at == level && MirrorTable.isLeaf(entry)) {
                        firstPfn.accept(MirrorTable.pfn(entry));
                    }
                });
    }

    private Memslot slotOf(@Gpa long gpa) {
        Memslot slot = vm.slots().find(Addresses.gfn(gpa));
        if (slot == null) {
            throw new IllegalArgumentException("no memory at " + Addresses.show(gpa));
        }
        return slot;
    }

    private static @Hpa long inPage(@Pfn long pfn, @Gpa long gpa) {
        return Addresses.hpa(pfn) + (gpa & (Addresses.PAGE_SIZE - 1));
    }
}
