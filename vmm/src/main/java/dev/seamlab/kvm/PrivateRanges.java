// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Gfn;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * The memory attributes of a VM, whether slots lie there or not: KVM keeps them apart from the
 * memslots, so they outlive a slot and may be set before there is one. Each slot has a copy of its
 * own for the fault path. Guarded by SLOTS.
 */
final class PrivateRanges {
    /** Receives one range. */
    interface Visitor {
        void range(@Gfn long from, @Gfn long to);
    }

    /** First page to first page after; disjoint and not touching. */
    private final NavigableMap<Long, Long> ranges = new TreeMap<>();

    void set(@Gfn long from, @Gfn long to, boolean isPrivate) {
        Map.Entry<Long, Long> before = ranges.lowerEntry(from);
        if (before != null && before.getValue() > from) {
            long end = before.getValue();
            ranges.put(before.getKey(), from);
            if (end > to) {
                ranges.put(to, end);
            }
        }
        Map.Entry<Long, Long> last = ranges.lowerEntry(to);
        if (last != null && last.getValue() > to) {
            ranges.put(to, last.getValue());
        }
        ranges.subMap(from, true, to, false).clear();
        if (isPrivate) {
            join(from, to);
        }
    }

    private void join(@Gfn long from, @Gfn long to) {
        long start = from;
        long end = to;
        Map.Entry<Long, Long> before = ranges.lowerEntry(from);
        if (before != null && before.getValue() == from) {
            start = before.getKey();
        }
        Long after = ranges.remove(to);
        if (after != null) {
            end = after;
        }
        ranges.put(start, end);
    }

    /** Whether all pages of a range have the attribute. */
    boolean isAll(@Gfn long from, @Gfn long to, boolean isPrivate) {
        Map.Entry<Long, Long> at = ranges.floorEntry(from);
        boolean inside = at != null && at.getValue() > from;
        if (isPrivate) {
            return inside && at.getValue() >= to;
        }
        Long next = ranges.ceilingKey(from);
        return !inside && (next == null || next >= to);
    }

    /** Shows the private parts of a range. */
    void forEach(@Gfn long from, @Gfn long to, Visitor visitor) {
        Map.Entry<Long, Long> at = ranges.floorEntry(from);
        if (at == null || at.getValue() <= from) {
            at = ranges.higherEntry(from);
        }
        while (at != null && at.getKey() < to) {
            visitor.range(Math.max(from, at.getKey()), Math.min(to, at.getValue()));
            at = ranges.higherEntry(at.getKey());
        }
    }
}
