// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Gfn;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The slots of a VM, ascending. Changed under SLOTS by replacing the array; readers use whatever
 * array they find. A VM has very few slots, so a linear search is the quick one.
 */
final class Memslots {
    private volatile Memslot[] slots = {};

    /** The slot of a guest page, or null. */
    @Nullable Memslot find(@Gfn long gfn) {
        for (Memslot slot : slots) {
            if (slot.contains(gfn)) {
                return slot;
            }
        }
        return null;
    }

    /** The slot with a number, or null. */
    @Nullable Memslot byId(int id) {
        for (Memslot slot : slots) {
            if (slot.id() == id) {
                return slot;
            }
        }
        return null;
    }

    /** A slot number that is free. */
    int freeId() {
        int id = 0;
        while (byId(id) != null) {
            id++;
        }
        return id;
    }

    /** Whether a range touches a slot other than {@code except}. */
    boolean overlaps(@Gfn long from, @Gfn long to, @Nullable Memslot except) {
        for (Memslot slot : slots) {
            if (slot != except && from < slot.end() && slot.base() < to) {
                return true;
            }
        }
        return false;
    }

    /** Puts a slot in the place of another; null stands for none. */
    void replace(@Nullable Memslot old, @Nullable Memslot fresh) {
        List<Memslot> next = new ArrayList<>(List.of(slots));
        if (old != null) {
            next.remove(old);
        }
        if (fresh != null) {
            next.add(fresh);
        }
        next.sort(Comparator.comparingLong(Memslot::base));
        slots = next.toArray(Memslot[]::new);
    }

    Memslot[] all() {
        return slots;
    }
}
