// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Gfn;
import java.util.Arrays;

/**
 * The memory attributes of a VM, whether slots lie there or not: KVM keeps them apart from the
 * memslots, so they outlive a slot and may be set before there is one. Each slot has a copy of its
 * own for the fault path. Guarded by SLOTS.
 *
 * <p>A tree of 512-way nodes over all page numbers, as KVM's xarray is one of 64-way nodes. A part
 * that was set as a whole has no nodes, whatever its size. Below that it has them down to the bits
 * of 512 pages, and keeps them when pages change one by one, so a guest that converts the same
 * pages to and fro makes no garbage.
 */
final class PrivateRanges {
    /** Receives one range. */
    interface Visitor {
        void range(@Gfn long from, @Gfn long to);
    }

    /** A piece of the address space. */
    private sealed interface Part {}

    /** A piece whose pages are all the same. */
    private enum Whole implements Part {
        SHARED,
        PRIVATE;

        static Whole of(boolean isPrivate) {
            return isPrivate ? PRIVATE : SHARED;
        }
    }

    /** The bits of 512 pages. */
    private static final class Bits implements Part {
        final long[] words = new long[FANOUT / Long.SIZE];

        Bits(Whole all) {
            Arrays.fill(words, all == Whole.PRIVATE ? -1L : 0L);
        }
    }

    /** 512 pieces of the next lower level. */
    private static final class Node implements Part {
        final Part[] parts = new Part[FANOUT];

        Node(Whole all) {
            Arrays.fill(parts, all);
        }
    }

    private static final int FANOUT_SHIFT = 9;
    private static final int FANOUT = 1 << FANOUT_SHIFT;

    /** Of the root: 54 bits of page number, of which a GPA has 51. */
    private static final int TOP = 5;

    private Part root = Whole.SHARED;

    void set(@Gfn long from, @Gfn long to, boolean isPrivate) {
        assert from >= 0 && from < to && to <= pages(TOP) : from + ".." + to;
        root = set(root, TOP, from, to, Whole.of(isPrivate));
    }

    /** Whether all pages of a range have the attribute. */
    boolean isAll(@Gfn long from, @Gfn long to, boolean isPrivate) {
        return isAll(root, TOP, from, to, Whole.of(isPrivate));
    }

    /** Shows the private parts of a range, from the first to the last, none touching another. */
    void forEach(@Gfn long from, @Gfn long to, Visitor visitor) {
        Runs runs = new Runs(visitor);
        show(root, TOP, 0, from, to, runs);
        runs.end();
    }

    // ------------------------------------------------------------------ the tree

    /** Pages below a part of a level, 0 for {@link Bits}. */
    private static long pages(int level) {
        return 1L << (FANOUT_SHIFT * (level + 1));
    }

    /** Which part of a node a page belongs to, counted from the node's first page. */
    private static int child(long page, int level) {
        return (int) (page >>> (FANOUT_SHIFT * level));
    }

    /** The first page of that part. */
    private static long start(int child, int level) {
        return (long) child << (FANOUT_SHIFT * level);
    }

    /**
     * What stands in a part's place afterwards; {@code from} and {@code to} count from its start.
     */
    private static Part set(Part part, int level, long from, long to, Whole value) {
        if (part == value || to - from == pages(level)) {
            return value;
        }
        if (level == 0) {
            Bits bits = part instanceof Bits own ? own : new Bits((Whole) part);
            setBits(bits.words, (int) from, (int) to, value == Whole.PRIVATE);
            return bits;
        }
        Node node = part instanceof Node own ? own : new Node((Whole) part);
        for (long at = from; at < to; ) {
            int i = child(at, level);
            long base = start(i, level);
            long end = Math.min(to, start(i + 1, level));
            node.parts[i] = set(node.parts[i], level - 1, at - base, end - base, value);
            at = end;
        }
        return node;
    }

    private static boolean isAll(Part part, int level, long from, long to, Whole value) {
        if (part instanceof Whole all) {
            return all == value;
        }
        if (part instanceof Bits bits) {
            return nextOther(bits.words, (int) from, (int) to, value == Whole.PRIVATE) == to;
        }
        Node node = (Node) part;
        for (long at = from; at < to; ) {
            int i = child(at, level);
            long base = start(i, level);
            long end = Math.min(to, start(i + 1, level));
            if (!isAll(node.parts[i], level - 1, at - base, end - base, value)) {
                return false;
            }
            at = end;
        }
        return true;
    }

    /** Shows what is private of a part that begins at page {@code base}. */
    private static void show(Part part, int level, long base, long from, long to, Runs runs) {
        switch (part) {
            case Whole.SHARED -> {}
            case Whole.PRIVATE -> runs.add(base + from, base + to);
            case Bits bits -> {
                boolean isPrivate = false;
                for (int at = (int) from; at < to; isPrivate = !isPrivate) {
                    int end = nextOther(bits.words, at, (int) to, isPrivate);
                    if (isPrivate) {
                        runs.add(base + at, base + end);
                    }
                    at = end;
                }
            }
            case Node node -> {
                for (long at = from; at < to; ) {
                    int i = child(at, level);
                    long start = start(i, level);
                    long end = Math.min(to, start(i + 1, level));
                    show(node.parts[i], level - 1, base + start, at - start, end - start, runs);
                    at = end;
                }
            }
        }
    }

    // ------------------------------------------------------------------ bits

    private static void setBits(long[] words, int from, int to, boolean value) {
        for (int at = from; at < to; ) {
            int end = Math.min(to, (at | (Long.SIZE - 1)) + 1);
            long mask = (-1L >>> (Long.SIZE - (end - at))) << at;
            if (value) {
                words[at / Long.SIZE] |= mask;
            } else {
                words[at / Long.SIZE] &= ~mask;
            }
            at = end;
        }
    }

    /** The first page of a range that differs from {@code value}, or the range's end. */
    private static int nextOther(long[] words, int from, int to, boolean value) {
        for (int at = from; at < to; at = (at | (Long.SIZE - 1)) + 1) {
            long word = words[at / Long.SIZE];
            long others = (value ? ~word : word) & (-1L << at);
            if (others != 0) {
                return Math.min(to, (at & -Long.SIZE) + Long.numberOfTrailingZeros(others));
            }
        }
        return to;
    }

    /** Joins runs that touch. */
    private static final class Runs {
        private final Visitor visitor;
        private long from;
        private long to;

        Runs(Visitor visitor) {
            this.visitor = visitor;
        }

        void add(long first, long last) {
            if (first != to) {
                end();
                from = first;
            }
            to = last;
        }

        void end() {
            if (from < to) {
                visitor.range(from, to);
            }
        }
    }
}
