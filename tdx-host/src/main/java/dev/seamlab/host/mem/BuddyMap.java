// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import java.util.Arrays;

/**
 * Which pages of one GiB are free, in what blocks, and what the others are used for. Exists only
 * for a GiB whose pages have to be told apart; about 1.4 bytes a page. Guarded by the zone's lock,
 * apart from {@link #uses}: the entry of a page that is not free belongs to the page's owner.
 *
 * <p>A GiB consists of 256 groups of 1024 pages, the largest block. The free blocks of a group are
 * bits of a tree of 2048 bits, laid out like a heap: bit 1 is the group as one block of order 10,
 * the children of bit n are bits 2n and 2n + 1, and bits 1024 to 2047 are single pages. A page is
 * in at most one free block.
 *
 * <p>A group stands in the zone's list of an order while it has a free block of that order; the
 * links are here.
 */
final class BuddyMap {
    /** Order of the largest block, as MAX_PAGE_ORDER of the kernel: 4 MiB. */
    static final int MAX_ORDER = 10;

    static final int GROUP_PAGES = 1 << MAX_ORDER;
    static final int GROUPS = GibPages.PAGES / GROUP_PAGES;

    /** Link of the last group of a list. */
    static final int END = -1;

    /** Link of a group that stands in no list. */
    static final int UNLINKED = -2;

    /**
     * Entry of {@link #uses}: free, in a block of the zone. Any above it is a use's ordinal + 1.
     */
    static final byte FREE = 0;

    /** Entry of {@link #uses}: no RAM. */
    static final byte ABSENT = -1;

    /** Entry of {@link #uses}: free, in the page list of a CPU. */
    static final byte LISTED = -2;

    private static final int WORDS = 2 * GROUP_PAGES / Long.SIZE;
    private static final PageUse[] USES = PageUse.values();

    /** What each page is: FREE, ABSENT, LISTED, or used. */
    final byte[] uses = new byte[GibPages.PAGES];

    /** Groups before and after each group, by order, in the zone's lists. */
    final int[] next = new int[(MAX_ORDER + 1) * GROUPS];

    final int[] previous = new int[(MAX_ORDER + 1) * GROUPS];

    private final long[] tree = new long[GROUPS * WORDS];

    BuddyMap() {
        Arrays.fill(next, UNLINKED);
    }

    static byte tag(PageUse use) {
        return (byte) (use.ordinal() + 1);
    }

    /** The use behind an entry above {@link #FREE}. */
    static PageUse use(byte tag) {
        return USES[tag - 1];
    }

    static int link(int order, int group) {
        return order * GROUPS + group;
    }

    /** Whether a block is free as a block of this order, neither split nor part of a larger one. */
    boolean isFreeBlock(int order, int offset) {
        int node = node(order, offset);
        return (tree[word(offset, node)] >>> node & 1) != 0;
    }

    void setFreeBlock(int order, int offset) {
        int node = node(order, offset);
        tree[word(offset, node)] |= 1L << node;
    }

    void clearFreeBlock(int order, int offset) {
        int node = node(order, offset);
        tree[word(offset, node)] &= ~(1L << node);
    }

    /** Offset of the lowest free block of an order in a group, or -1. */
    int lowestBlock(int order, int group) {
        int base = group * WORDS;
        int firstNode = GROUP_PAGES >>> order;
        if (firstNode < Long.SIZE) {
            long found = tree[base] & ((1L << firstNode) - 1) << firstNode;
            return found == 0
                    ? -1
                    : offset(order, group, Long.numberOfTrailingZeros(found) - firstNode);
        }
        int words = firstNode >>> 6;
        for (int w = words; w < 2 * words; w++) {
            long found = tree[base + w];
            if (found != 0) {
                int node = (w << 6) + Long.numberOfTrailingZeros(found);
                return offset(order, group, node - firstNode);
            }
        }
        return -1;
    }

    /** Order of the free block that holds a page; -1 where none does. */
    int orderOfBlockWith(int offset) {
        for (int order = 0; order <= MAX_ORDER; order++) {
            if (isFreeBlock(order, offset)) {
                return order;
            }
        }
        return -1;
    }

    private static int offset(int order, int group, int block) {
        return group * GROUP_PAGES + (block << order);
    }

    private static int node(int order, int offset) {
        return (GROUP_PAGES + (offset & (GROUP_PAGES - 1))) >>> order;
    }

    private static int word(int offset, int node) {
        return offset / GROUP_PAGES * WORDS + (node >>> 6);
    }
}
