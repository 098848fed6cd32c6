// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.machine.Gfn;
import java.util.Arrays;
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

    /** Adds a slot; EEXIST where it overlaps another. */
    int add(Memslot fresh) {
        for (Memslot slot : slots) {
            if (fresh.base() < slot.end() && slot.base() < fresh.end()) {
                return Errno.EEXIST;
            }
        }
        Memslot[] next = Arrays.copyOf(slots, slots.length + 1);
        next[slots.length] = fresh;
        Arrays.sort(next, (a, b) -> Long.compare(a.base(), b.base()));
        slots = next;
        return Errno.OK;
    }

    /** Whether slots cover a range without a gap. */
    boolean cover(@Gfn long from, @Gfn long to) {
        long at = from;
        for (Memslot slot : slots) {
            if (slot.contains(at)) {
                at = slot.end();
            }
        }
        return at >= to;
    }

    Memslot[] all() {
        return slots;
    }
}
