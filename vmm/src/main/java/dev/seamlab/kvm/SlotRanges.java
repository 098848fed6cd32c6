// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Gfn;
import java.util.Arrays;

/**
 * The pieces of slots that a change of guest memory is about. Guarded by SLOTS, and filled anew for
 * each change.
 */
final class SlotRanges {
    private Memslot[] slots = new Memslot[2];
    private long[] bounds = new long[4];
    private int count;

    /** No pieces. */
    SlotRanges none() {
        Arrays.fill(slots, 0, count, null);
        count = 0;
        return this;
    }

    /** What some slots have of a range of guest pages. */
    SlotRanges within(Memslots all, @Gfn long from, @Gfn long to) {
        none();
        for (Memslot slot : all.all()) {
            add(slot, Math.max(from, slot.base()), Math.min(to, slot.end()));
        }
        return this;
    }

    /** One whole slot. */
    SlotRanges all(Memslot slot) {
        return none().add(slot, slot.base(), slot.end());
    }

    /** A piece more, if it is one. */
    SlotRanges add(Memslot slot, @Gfn long from, @Gfn long to) {
        if (from < to) {
            if (count == slots.length) {
                slots = Arrays.copyOf(slots, 2 * count);
                bounds = Arrays.copyOf(bounds, 4 * count);
            }
            slots[count] = slot;
            bounds[2 * count] = from;
            bounds[2 * count + 1] = to;
            count++;
        }
        return this;
    }

    /** How many pieces there are. */
    int count() {
        return count;
    }

    Memslot slot(int i) {
        return slots[i];
    }

    @Gfn
    long from(int i) {
        return bounds[2 * i];
    }

    @Gfn
    long to(int i) {
        return bounds[2 * i + 1];
    }

    /** How many of them may cut a 2M leaf in two: none reaches out of its slot. */
    int cuts() {
        int cuts = 0;
        for (int i = 0; i < count; i++) {
            cuts += from(i) > slots[i].base() || to(i) < slots[i].end() ? 1 : 0;
        }
        return cuts;
    }
}
