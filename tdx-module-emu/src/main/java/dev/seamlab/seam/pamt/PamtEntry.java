// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.pamt;

import dev.seamlab.machine.Pfn;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.lock.SharexLock;

/**
 * Bits of a PAMT entry, two words (facts: module ABI sections 4.4 and 5.2).
 *
 * <pre>
 *   word 0, any entry:      63            24 23  21 20  16 15           0
 *                          +----------------+------+------+--------------+
 *                          | owner: TDR pfn | zero | type | SharexLock   |
 *                          +----------------+------+------+--------------+
 *   Bit 21 is SharexLock.SLOTTED: set in all 1G and 2M entries, and of root pages.
 *   word 1, leaf:          | BEPOCH                                     |
 *
 *   word 0, 2M pair node:   63              28 27  21 20  16 15          0
 *                          +------------------+------+------+-------------+
 *                          | page 0 pfn       | zero | PAMT | SharexLock  |
 *                          +------------------+------+------+-------------+
 *   word 1, 2M pair node:   63              28 27          10 9          0
 *                          +------------------+--------------+------------+
 *                          | page 1 pfn       | zero         | used pages |
 *                          +------------------+--------------+------------+
 * </pre>
 */
final class PamtEntry {
    static final int WORDS = 2;
    static final long COUNT_MASK = 0x3FF;

    private static final int TYPE_SHIFT = 16;
    private static final long TYPE_MASK = 0x1F;
    private static final int OWNER_SHIFT = 24;
    private static final int PAIR_SHIFT = 28;

    private PamtEntry() {}

    static long of(PageType type, @Pfn long owner) {
        return ((long) type.code() << TYPE_SHIFT) | (owner << OWNER_SHIFT) | lockKind(type);
    }

    /** Every call on a TD or a vCPU shares the lock of its root page; other pages change hands. */
    private static long lockKind(PageType type) {
        return type == PageType.TDR || type == PageType.TDVPR ? SharexLock.SLOTTED : 0;
    }

    static int typeCode(long word0) {
        return (int) ((word0 >>> TYPE_SHIFT) & TYPE_MASK);
    }

    static @Pfn long owner(long word0) {
        return word0 >>> OWNER_SHIFT;
    }

    static long pairWord0(@Pfn long page0) {
        return ((long) PageType.PAMT.code() << TYPE_SHIFT) | (page0 << PAIR_SHIFT);
    }

    static long pairWord1(@Pfn long page1, int count) {
        return (page1 << PAIR_SHIFT) | count;
    }

    static @Pfn long pairPage(long word) {
        return word >>> PAIR_SHIFT;
    }

    static int count(long word1) {
        return (int) (word1 & COUNT_MASK);
    }
}
