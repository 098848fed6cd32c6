// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What user space and guest of one VM may expect of its memory, as maps from page to content: no
 * host pages, no tables of the mirror, no order of locks. Written from the kernel's documentation
 * of memslots, attributes and guest_memfd, and from what TDX promises a guest.
 */
final class MemoryOracle {
    static final int UNIT = Addresses.PAGES_PER_RANGE;

    /** A private page as the guest has it. */
    static final class Private {
        boolean accepted;
        long content;
    }

    /** A guest_memfd. */
    static final class File {
        final GuestMemfd real;
        final long pages;
        final BitSet allocated = new BitSet();

        /** Units that never had a page, or got all of theirs at once and lost none. */
        final BitSet touched = new BitSet();

        final BitSet whole = new BitSet();

        File(GuestMemfd real) {
            this.real = real;
            this.pages = real.size() >>> Addresses.PAGE_SHIFT;
        }

        void allocate(long index) {
            allocated.set((int) index);
            touched.set((int) index / UNIT);
        }

        void allocateUnit(long index) {
            int unit = (int) index / UNIT;
            if (!touched.get(unit)) {
                whole.set(unit);
            }
            touched.set(unit);
            allocated.set(unit * UNIT, (unit + 1) * UNIT);
        }

        void punch(long from, long to) {
            for (int i = (int) from; i < to; i++) {
                if (allocated.get(i)) {
                    whole.clear(i / UNIT);
                }
                allocated.clear(i);
            }
        }
    }

    /** A memslot. */
    record Slot(int id, @Gfn long base, long pages, @Nullable File file, long offset, User user) {
        @Gfn
        long end() {
            return base + pages;
        }

        boolean contains(@Gfn long gfn) {
            return gfn >= base && gfn < end();
        }

        boolean overlaps(@Gfn long from, @Gfn long to) {
            return from < end() && base < to;
        }

        long inFile(@Gfn long gfn) {
            return gfn - base + offset;
        }
    }

    /** User memory behind a slot: content of the pages that there are. */
    static final class User {
        final Map<Long, Long> pages = new TreeMap<>();
    }

    final Map<Integer, Slot> slots = new TreeMap<>();
    final List<File> files = new ArrayList<>();
    final BitSet isPrivate = new BitSet();
    final TreeMap<Long, Private> privateMapped = new TreeMap<>();
    final BitSet sharedMapped = new BitSet();

    /** Units that have a table of 4K entries. */
    final BitSet tables = new BitSet();

    @Nullable Slot slotOf(@Gfn long gfn) {
        return slots.values().stream().filter(slot -> slot.contains(gfn)).findFirst().orElse(null);
    }

    /** Whether the guest may have a page the way that it touches it. */
    boolean admits(@Gfn long gfn, boolean privately) {
        Slot slot = slotOf(gfn);
        return slot != null
                && isPrivate.get((int) gfn) == privately
                && (!privately || slot.file() != null);
    }

    // ------------------------------------------------------------------ slots

    int create(int id, @Gfn long base, long pages, @Nullable File file, long offset) {
        Slot old = slots.get(id);
        if (old != null) {
            boolean same = file == null && old.file() == null && pages == old.pages();
            if (!same) {
                return Errno.EINVAL;
            }
            if (base == old.base()) {
                return Errno.OK;
            }
            if (overlaps(base, base + pages, old)) {
                return Errno.EEXIST;
            }
            sharedMapped.clear((int) old.base(), (int) old.end());
            slots.put(id, new Slot(id, base, pages, null, 0, old.user()));
            return Errno.OK;
        }
        if (overlaps(base, base + pages, null)) {
            return Errno.EEXIST;
        }
        if (file != null && (offset + pages > file.pages || isShown(file, offset, pages))) {
            return Errno.EINVAL;
        }
        slots.put(id, new Slot(id, base, pages, file, offset, new User()));
        return Errno.OK;
    }

    private boolean overlaps(@Gfn long from, @Gfn long to, @Nullable Slot except) {
        return slots.values().stream()
                .anyMatch(s -> (except == null || s.id() != except.id()) && s.overlaps(from, to));
    }

    private boolean isShown(File file, long from, long pages) {
        return slots.values().stream()
                .anyMatch(s ->
                        s.file() == file
                                && from < s.offset() + s.pages()
                                && s.offset() < from + pages);
    }

    int delete(int id) {
        Slot slot = slots.remove(id);
        if (slot == null) {
            return Errno.EINVAL;
        }
        unmapPrivate(slot.base(), slot.end());
        sharedMapped.clear((int) slot.base(), (int) slot.end());
        return Errno.OK;
    }

    private void unmapPrivate(@Gfn long from, @Gfn long to) {
        for (long first = from & -UNIT; first < to; first += UNIT) {
            boolean part = first < from || first + UNIT > to;
            if (part && !privateMapped.subMap(first, first + UNIT).isEmpty()) {
                tables.set((int) first / UNIT); // had one, or its leaf is split
            }
        }
        privateMapped.subMap(from, to).clear();
    }

    // ------------------------------------------------------------------ attributes, files

    void setAttributes(@Gfn long from, @Gfn long to, boolean privately) {
        if (privately) {
            sharedMapped.clear((int) from, (int) to);
        } else {
            unmapPrivate(from, to);
        }
        isPrivate.set((int) from, (int) to, privately);
    }

    void punch(@Gfn long from, @Gfn long to, boolean privately) {
        for (Slot slot : slots.values()) {
            long first = Math.max(from, slot.base());
            long last = Math.min(to, slot.end());
            if (first >= last) {
                continue;
            }
            if (!privately) {
                sharedMapped.clear((int) first, (int) last);
                for (long gfn = first; gfn < last; gfn++) {
                    slot.user().pages.remove(gfn - slot.base());
                }
            } else if (slot.file() != null) {
                unmapPrivate(first, last);
                slot.file().punch(slot.inFile(first), slot.inFile(last));
            }
        }
    }

    int punchFile(File file, long from, long to) {
        for (Slot slot : slots.values()) {
            long first = Math.max(from, slot.offset());
            long last = Math.min(to, slot.offset() + slot.pages());
            if (slot.file() == file && first < last) {
                long shift = slot.base() - slot.offset();
                unmapPrivate(first + shift, last + shift);
            }
        }
        file.punch(from, Math.min(to, file.pages));
        return Errno.OK;
    }

    int allocateFile(File file, long from, long to) {
        if (to > file.pages) {
            return Errno.EINVAL;
        }
        for (long index = from; index < to; index++) {
            file.allocate(index);
        }
        return Errno.OK;
    }

    // ------------------------------------------------------------------ faults

    /** A page is mapped as its attribute says, which {@link #admits} allowed. */
    void map(@Gfn long gfn) {
        Slot slot = slotOf(gfn);
        if (slot == null) {
            throw new AssertionError("no slot");
        }
        if (!isPrivate.get((int) gfn)) {
            slot.user().pages.putIfAbsent(gfn - slot.base(), 0L);
            sharedMapped.set((int) gfn);
        } else if (!privateMapped.containsKey(gfn) && slot.file() != null) {
            slot.file().allocate(slot.inFile(gfn));
            privateMapped.put(gfn, new Private());
            tables.set((int) gfn / UNIT);
        }
    }

    /** Whether a unit is of one slot, all private, and aligned in the file too. */
    boolean isCovered(@Gfn long first) {
        Slot slot = slotOf(first);
        return slot != null
                && slot.file() != null
                && slot.contains(first + UNIT - 1)
                && (slot.base() | slot.offset()) % UNIT == 0
                && isPrivate.nextClearBit((int) first) >= first + UNIT;
    }

    /** Whether the pages of the file for such a unit are contiguous, or will be. */
    boolean isWhole(@Gfn long first) {
        Slot slot = slotOf(first);
        if (slot == null || slot.file() == null) {
            return false;
        }
        int unit = (int) slot.inFile(first) / UNIT;
        return !slot.file().touched.get(unit) || slot.file().whole.get(unit);
    }

    /** The guest accepts 2M at once. */
    void acceptLarge(@Gfn long first) {
        Slot slot = slotOf(first);
        if (slot == null || slot.file() == null) {
            throw new AssertionError("nothing to accept");
        }
        slot.file().allocateUnit(slot.inFile(first));
        for (long gfn = first; gfn < first + UNIT; gfn++) {
            Private page = new Private();
            page.accepted = true;
            privateMapped.put(gfn, page);
        }
    }

    // ------------------------------------------------------------------ figures

    long gmemPages() {
        return files.stream().mapToLong(file -> file.allocated.cardinality()).sum();
    }

    long userPages() {
        return slots.values().stream().mapToLong(slot -> slot.user().pages.size()).sum();
    }
}
