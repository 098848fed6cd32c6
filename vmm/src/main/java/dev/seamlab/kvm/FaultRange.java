// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import org.jspecify.annotations.Nullable;

/**
 * What a vCPU's last private fault looked up without a lock, where it says the same about the whole
 * 2 MiB range: that it lies in one slot and is private. Used by the vCPU's thread alone.
 *
 * <p>It holds while the invalidation sequence stands where it stood before the looking up, for the
 * reason for which it holds until the end of that fault: whoever changes a slot or an attribute
 * moves the sequence afterwards, and a fault looks at the sequence again with MMU held before it
 * maps anything. In the midst of such a change this fault ends in RETRY, as one does that came just
 * before it.
 */
final class FaultRange {
    private static final int RANGE_GFN_SHIFT = Addresses.RANGE_SHIFT - Addresses.PAGE_SHIFT;

    private @Nullable Memslot slot;
    private @Gfn long range;
    private long sequence;

    /** The slot of a guest page that is private, or null where both have to be looked up. */
    @Nullable Memslot slotOf(@Gfn long gfn, long now) {
        return gfn >>> RANGE_GFN_SHIFT == range && now == sequence ? slot : null;
    }

    /**
     * A private fault found its slot.
     *
     * @param before the sequence from before it looked
     */
    void remember(@Gfn long gfn, Memslot found, long before) {
        if (!found.isUniformlyPrivate(gfn)) {
            return;
        }
        range = gfn >>> RANGE_GFN_SHIFT;
        sequence = before;
        if (slot != found) {
            slot = found; // a reference written marks a card, so only where it changes
        }
    }
}
