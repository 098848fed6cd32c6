// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import java.util.Arrays;
import java.util.List;

/**
 * The free blocks of a zone by order, as the kernel's free_area: a request takes from the smallest
 * order that has a block, from the front of its list, and splits off the upper halves; a block that
 * comes back merges with its buddy as long as that is free, and goes to the front.
 *
 * <p>What stands in a list is a group of 1024 pages that has free blocks of the order; inside it
 * the lowest goes first. So the order is last in, first out among groups, and ascending inside one.
 * The kernel links each block by itself, which would cost eight bytes a page. Guarded by the zone's
 * lock.
 */
final class FreeAreas {
    private static final int GROUP_SHIFT = Integer.numberOfTrailingZeros(BuddyMap.GROUPS);

    private final List<GibPages> gibs;
    private final int[] heads = new int[BuddyMap.MAX_ORDER + 1];
    // Bit n: the list of order n is not empty.
    private int available;

    /**
     * @param gibs the zone's, by place
     */
    FreeAreas(List<GibPages> gibs) {
        this.gibs = gibs;
        Arrays.fill(heads, BuddyMap.END);
    }

    /** Smallest order of at least {@code order} that has a block; -1 where none has. */
    int smallestOrder(int order) {
        int orders = available & -1 << order;
        return orders == 0 ? -1 : Integer.numberOfTrailingZeros(orders);
    }

    /** GiB of the block that {@link #takeFront} would take. */
    GibPages front(int order) {
        return gibs.get(heads[order] >>> GROUP_SHIFT);
    }

    /**
     * Takes the block at the front of an order's list, and of it the lowest block of the wanted
     * order; the rest goes back as smaller blocks.
     *
     * @param order one that has a block
     * @param wanted not above it
     * @return offset in the GiB that {@link #front} told
     */
    int takeFront(int order, int wanted) {
        GibPages gib = front(order);
        BuddyMap map = requireMap(gib);
        int offset = map.lowestBlock(order, heads[order] & (BuddyMap.GROUPS - 1));
        remove(map, offset, order);
        for (int o = order - 1; o >= wanted; o--) {
            add(gib, map, offset + (1 << o), o);
        }
        return offset;
    }

    /** Takes a block back and merges it. The pages are marked FREE by the caller. */
    void giveBack(GibPages gib, int offset, int order) {
        BuddyMap map = requireMap(gib);
        int block = offset;
        int o = order;
        while (o < BuddyMap.MAX_ORDER && map.isFreeBlock(o, block ^ 1 << o)) {
            remove(map, block ^ 1 << o, o);
            block &= ~(1 << o);
            o++;
        }
        add(gib, map, block, o);
    }

    /** Takes the free pages [from, to) back, as the largest blocks that fit. */
    void giveBackRange(GibPages gib, int from, int to) {
        for (int offset = from; offset < to; ) {
            int order = largestOrder(offset, to);
            giveBack(gib, offset, order);
            offset += 1 << order;
        }
    }

    /** Takes the pages [from, to), all of which are in free blocks, out of them. */
    void carve(GibPages gib, int from, int to) {
        BuddyMap map = requireMap(gib);
        for (int offset = from; offset < to; ) {
            int order = map.orderOfBlockWith(offset);
            int start = offset & -1 << order;
            int end = start + (1 << order);
            remove(map, start, order);
            giveBackRange(gib, start, offset);
            giveBackRange(gib, Math.min(end, to), end);
            offset = end;
        }
    }

    /** Largest block that may begin at an offset and ends before {@code to}. */
    static int largestOrder(int offset, int to) {
        int byAlignment = offset == 0 ? BuddyMap.MAX_ORDER : Integer.numberOfTrailingZeros(offset);
        int bySize = 31 - Integer.numberOfLeadingZeros(to - offset);
        return Math.min(BuddyMap.MAX_ORDER, Math.min(byAlignment, bySize));
    }

    private void add(GibPages gib, BuddyMap map, int offset, int order) {
        map.setFreeBlock(order, offset);
        int group = offset >>> BuddyMap.MAX_ORDER;
        int id = gib.place() << GROUP_SHIFT | group;
        int link = BuddyMap.link(order, group);
        if (heads[order] == id) {
            return;
        }
        if (map.next[link] != BuddyMap.UNLINKED) {
            unlink(map, order, group);
        }
        int head = heads[order];
        map.next[link] = head;
        map.previous[link] = BuddyMap.END;
        if (head != BuddyMap.END) {
            previous(head, order, id);
        }
        heads[order] = id;
        available |= 1 << order;
    }

    private void remove(BuddyMap map, int offset, int order) {
        map.clearFreeBlock(order, offset);
        int group = offset >>> BuddyMap.MAX_ORDER;
        if (map.lowestBlock(order, group) < 0) {
            unlink(map, order, group);
        }
    }

    private void unlink(BuddyMap map, int order, int group) {
        int link = BuddyMap.link(order, group);
        int next = map.next[link];
        int previous = map.previous[link];
        if (next != BuddyMap.END) {
            previous(next, order, previous);
        }
        if (previous != BuddyMap.END) {
            requireMap(gibs.get(previous >>> GROUP_SHIFT))
                            .next[BuddyMap.link(order, previous & (BuddyMap.GROUPS - 1))] =
                    next;
        } else {
            heads[order] = next;
            if (next == BuddyMap.END) {
                available &= ~(1 << order);
            }
        }
        map.next[link] = BuddyMap.UNLINKED;
    }

    private void previous(int id, int order, int previous) {
        requireMap(gibs.get(id >>> GROUP_SHIFT))
                        .previous[BuddyMap.link(order, id & (BuddyMap.GROUPS - 1))] =
                previous;
    }

    private static BuddyMap requireMap(GibPages gib) {
        BuddyMap map = gib.map();
        if (map == null) {
            throw new IllegalStateException("no page of this GiB has been told apart");
        }
        return map;
    }
}
