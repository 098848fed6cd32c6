// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.pamt;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.lock.HeldLocks;
import dev.seamlab.seam.lock.LockPath;
import dev.seamlab.seam.lock.SharexLock;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The PAMT entry at which a walk ended. One slot per purpose and logical CPU, used again for every
 * call. Writing needs the entry's exclusive lock, except for BEPOCH, which leaves write under the
 * S-EPT locks (facts: section 12.2).
 */
@SuppressWarnings("ReferenceEquality") // storage is compared by identity
public final class PageRef {
    private static final long[] NOWHERE = new long[PamtEntry.WORDS];

    private @Hpa long hpa;
    private int level;
    private long[] words = NOWHERE;
    private int at;
    private GibBlock.@Nullable Storage block;
    private final @Nullable LockPath path;

    /** A slot for pages that have little to do with each other. */
    public PageRef() {
        path = null;
    }

    /**
     * A slot for pages that mostly lie beside the last one.
     *
     * @param path for the locks above their entries
     */
    public PageRef(LockPath path) {
        this.path = path;
    }

    void point(@Hpa long address, int reached, GibBlock.Storage storage, long[] array, int index) {
        hpa = address;
        level = reached;
        at = index;
        // Written only where they change: see the note on cards at the frame of a call.
        if (block != storage) {
            block = storage;
        }
        if (words != array) {
            words = array;
        }
    }

    /** Points at the same entry as another slot. */
    public void point(PageRef other) {
        point(other.hpa, other.level, other.block(), other.words, other.at);
    }

    /** What the last walk found, where it went to the same GiB: that stays where it is. */
    GibBlock.@Nullable Storage blockOf(@Hpa long address) {
        return (hpa ^ address) >>> Addresses.GIB_SHIFT == 0 ? block : null;
    }

    /** Remembers the locks above the 4K entries of a range, where this slot does. */
    void remember(HeldLocks locks, int mark, long[] entries, long claimsBefore) {
        if (path != null) {
            locks.remember(path, mark, entries, claimsBefore);
        }
    }

    /**
     * Takes the locks above the 4K entry of a page that lies in the same range as the last one.
     *
     * @return the entries of that range, or null where the locks have to be taken one by one
     */
    long @Nullable [] retake(HeldLocks locks, @Hpa long address) {
        boolean beside = (hpa ^ address) >>> Addresses.RANGE_SHIFT == 0;
        return beside && path != null && path.leadsTo(words) && locks.retake(path) ? words : null;
    }

    /** Moves to another 4K entry of the same range. */
    void move(@Hpa long address, int index) {
        hpa = address;
        at = index;
    }

    /** Whether the slot points at the 4K entry of a page. */
    public boolean isAt(@Hpa long address) {
        return hpa == address && level == PageInfo.LEVEL_4K && block != null;
    }

    /** Address that was asked for. */
    public @Hpa long hpa() {
        return hpa;
    }

    /** Page frame that was asked for. */
    public @Pfn long pfn() {
        return hpa >>> 12;
    }

    /** Level of the entry, see {@link PageInfo}. */
    public int level() {
        return level;
    }

    /** Type, as a number: {@link PageType#code}. */
    public int typeCode() {
        return PamtEntry.typeCode(Cells.acquire(words, at));
    }

    /** Whether the entry has a type. */
    public boolean is(PageType type) {
        return typeCode() == type.code();
    }

    /** TDR page frame of the owner; 0 for pages without one. */
    public @Pfn long owner() {
        return PamtEntry.owner(Cells.acquire(words, at));
    }

    /** Blocking epoch. */
    public long bepoch() {
        return Cells.acquire(words, at + 1);
    }

    /** Stores the blocking epoch. */
    public void bepoch(long epoch) {
        Cells.release(words, at + 1, epoch);
    }

    /**
     * Gives the page to a TD and counts it in its 2M range. BEPOCH keeps its last value, as in the
     * module: only leaves that map a page of guest memory reset it.
     */
    public void assign(PageType type, @Pfn long owner) {
        write(PamtEntry.of(type, owner));
        count(1);
    }

    /**
     * Takes the page from its owner. The owner field keeps its last value, as in the module, where
     * RDMD shows it.
     *
     * @return {@link PageInfo#REMOVAL_HINT} if the 2M range has no used page left, else 0
     */
    public long free() {
        write(PamtEntry.of(PageType.NDA, owner()));
        return count(-1);
    }

    /** First word without its lock; for the pair operations of {@link Pamt}. */
    void write(long word0) {
        long kept = SharexLock.MASK | (level == PageInfo.LEVEL_4K ? 0 : SharexLock.SLOTTED);
        Cells.release(words, at, (Cells.acquire(words, at) & kept) | word0);
    }

    void writeSecond(long word1) {
        Cells.release(words, at + 1, word1);
    }

    long word0() {
        return Cells.acquire(words, at);
    }

    long word1() {
        return Cells.acquire(words, at + 1);
    }

    long[] words() {
        return words;
    }

    int at() {
        return at;
    }

    GibBlock.Storage block() {
        return Objects.requireNonNull(block);
    }

    /** Adds to the used-page count of the pair node; only Dynamic PAMT has such nodes. */
    private long count(int delta) {
        if (level != PageInfo.LEVEL_4K) {
            return 0;
        }
        int node = Pamt.rangeEntry(hpa);
        long[] twoM = block().words;
        if (PamtEntry.typeCode(Cells.acquire(twoM, node)) != PageType.PAMT.code()) {
            return 0;
        }
        long before = Cells.getAndAdd(twoM, node + 1, delta);
        assert PamtEntry.count(before) + delta >= 0 && PamtEntry.count(before) + delta <= 512
                : "used pages of a range out of bounds";
        return PamtEntry.count(before) + delta == 0 ? PageInfo.REMOVAL_HINT : 0;
    }
}
