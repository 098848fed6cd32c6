// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.pamt;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.lock.HeldLocks;
import dev.seamlab.seam.lock.SharexLock;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * The metadata of all TDMRs: a directory of GiB blocks, the walk to an entry and its locks.
 *
 * <p>Explicit access (a page that a leaf was given) locks the 1G and 2M entries shared on the way
 * and the entry it ends at as asked. Implicit access (a page found through another structure) locks
 * that one entry only. Source: facts, module ABI section 4.5.
 */
public final class Pamt {
    /** How a walk ended. */
    public static final int FOUND = 0;

    public static final int LOCKED = 1;
    public static final int OUT_OF_RANGE = 2;

    static final int PAGES_PER_GIB = 1 << (Addresses.GIB_SHIFT - Addresses.PAGE_SHIFT);
    static final int BITMAP_WORDS_PER_GIB = PAGES_PER_GIB / Long.SIZE;

    private static final int BITMAP_WORDS_PER_RANGE = Addresses.PAGES_PER_RANGE / Long.SIZE;
    private static final int DIRECTORY_SHIFT = 39;
    private static final int BLOCKS_PER_CHUNK = 512;

    private final boolean dynamic;
    private final SpareEntries spares = new SpareEntries();
    private final List<Tdmr> tdmrs;
    private final AtomicReferenceArray<@Nullable AtomicReferenceArray<@Nullable GibBlock>>
            directory =
                    new AtomicReferenceArray<>(
                            1 << (Addresses.MAX_PHYSICAL_BITS - DIRECTORY_SHIFT));

    public Pamt(List<Tdmr> tdmrs, boolean dynamic) {
        this.tdmrs = List.copyOf(tdmrs);
        this.dynamic = dynamic;
    }

    /** Whether SYS.CONFIG enabled Dynamic PAMT. */
    public boolean dynamic() {
        return dynamic;
    }

    /** The regions, ascending. */
    public List<Tdmr> tdmrs() {
        return tdmrs;
    }

    /** The region with this base address, or null. */
    public @Nullable Tdmr tdmrAt(@Hpa long base) {
        for (Tdmr tdmr : tdmrs) {
            if (tdmr.base() == base) {
                return tdmr;
            }
        }
        return null;
    }

    /**
     * Initialises metadata of the next {@code bytes} of a region; the caller holds its mutex. Whole
     * blocks of 1 GiB become usable once their last byte is covered.
     *
     * @return address up to which metadata is initialised
     */
    public @Hpa long initialise(Tdmr tdmr, long bytes) {
        @Hpa long from = tdmr.initialisedUpTo();
        @Hpa long to = Math.min(tdmr.end(), from + bytes);
        for (long gib = Addresses.alignDown(from, Addresses.GIB) + Addresses.GIB;
                gib <= to;
                gib += Addresses.GIB) {
            publish(new GibBlock(gib - Addresses.GIB, tdmr));
        }
        tdmr.initialisedUpTo(to);
        return to;
    }

    /** Whether the page lies in an initialised block. */
    public boolean covers(@Hpa long hpa) {
        return block(hpa) != null;
    }

    /**
     * Explicit walk down to {@code target}, or to a leaf above it. On success the locks of the path
     * are in {@code locks}; on failure none are.
     *
     * @param alone whether the entry reached is locked exclusively
     * @return {@link #FOUND}, {@link #LOCKED} or {@link #OUT_OF_RANGE}
     */
    public int walk(HeldLocks locks, PageRef to, @Hpa long hpa, int target, boolean alone) {
        if (alone && target == PageInfo.LEVEL_4K && walkBeside(locks, to, hpa)) {
            return FOUND;
        }
        GibBlock.Storage known = to.blockOf(hpa);
        if (known != null
                && target == PageInfo.LEVEL_4K
                && walkAtOnce(locks, to, hpa, known, alone)) {
            return FOUND;
        }
        GibBlock block = block(hpa);
        if (block == null) {
            return OUT_OF_RANGE;
        }
        GibBlock.Storage storage = block.storage();
        if (known == null
                && target == PageInfo.LEVEL_4K
                && walkAtOnce(locks, to, hpa, storage, alone)) {
            return FOUND;
        }
        long[] words = storage.words;
        int mark = locks.mark();
        if (!locks.share(words, GibBlock.ONE_GIB_ENTRY)) {
            return LOCKED;
        }
        long oneG = Cells.acquire(words, GibBlock.ONE_GIB_ENTRY);
        if (target == PageInfo.LEVEL_1G || PamtEntry.typeCode(oneG) != PageType.NDA.code()) {
            to.point(hpa, PageInfo.LEVEL_1G, storage, words, GibBlock.ONE_GIB_ENTRY);
            return finish(locks, mark, alone);
        }
        int range = rangeEntry(hpa);
        if (!locks.share(words, range)) {
            locks.releaseTo(mark);
            return LOCKED;
        }
        int type = PamtEntry.typeCode(Cells.acquire(words, range));
        PageType inner = dynamic ? PageType.PAMT : PageType.NDA;
        if (target == PageInfo.LEVEL_2M || type != inner.code()) {
            to.point(hpa, PageInfo.LEVEL_2M, storage, words, range);
            return finish(locks, mark, alone);
        }
        long[] entries = entries(block, storage, hpa);
        int page = pageEntry(hpa);
        if (!locks.take(entries, page, alone)) {
            locks.releaseTo(mark);
            return LOCKED;
        }
        to.point(hpa, PageInfo.LEVEL_4K, storage, entries, page);
        return FOUND;
    }

    /**
     * The usual case of {@link #walk} on the fault path: an entry beside the one that the last walk
     * ended at, under locks that nobody has claimed since.
     */
    private static boolean walkBeside(HeldLocks locks, PageRef to, @Hpa long hpa) {
        int mark = locks.mark();
        long[] entries = to.retake(locks, hpa);
        if (entries == null) {
            return false;
        }
        int page = pageEntry(hpa);
        if (locks.exclusive(entries, page)) {
            to.move(hpa, page);
            return true;
        }
        locks.releaseTo(mark);
        return false;
    }

    /**
     * The usual case of {@link #walk}: a 4K entry below two that are no leaves and that nobody
     * owns. What it sees before it has the locks it looks at again afterwards. Takes the locks of
     * the path with one fence instead of one each.
     *
     * @return whether the locks of the path are held; if not, nothing has changed
     */
    @SuppressWarnings("ReferenceEquality") // the same entries, not equal ones
    private boolean walkAtOnce(
            HeldLocks locks, PageRef to, @Hpa long hpa, GibBlock.Storage storage, boolean alone) {
        int rangeInGib = rangeInGib(hpa);
        long[] entries = storage.entries(rangeInGib);
        if (entries == null) {
            return false;
        }
        long[] words = storage.words;
        int range = rangeEntry(hpa);
        int page = pageEntry(hpa);
        boolean bySlot = !alone && (Cells.acquire(entries, page) & SharexLock.SLOTTED) != 0;
        int mark = locks.mark();
        long claims = locks.claims();
        locks.stage(words, GibBlock.ONE_GIB_ENTRY);
        locks.stage(words, range);
        if (bySlot) {
            locks.stage(entries, page);
        }
        if (!locks.commit(mark)) {
            return false;
        }
        PageType inner = dynamic ? PageType.PAMT : PageType.NDA;
        if (PamtEntry.typeCode(Cells.acquire(words, GibBlock.ONE_GIB_ENTRY)) == PageType.NDA.code()
                && PamtEntry.typeCode(Cells.acquire(words, range)) == inner.code()
                && storage.entries(rangeInGib) == entries) {
            if (!bySlot) {
                to.remember(locks, mark, entries, claims);
            }
            if (bySlot || locks.take(entries, page, alone)) {
                to.point(hpa, PageInfo.LEVEL_4K, storage, entries, page);
                return true;
            }
        }
        locks.releaseTo(mark);
        return false;
    }

    /**
     * Stages the locks of a path that an earlier walk went down to a 4K entry; {@link #isStill}
     * says afterwards whether a walk would go there again.
     */
    public void stage(HeldLocks locks, PageRef known) {
        long[] words = known.block().words;
        locks.stage(words, GibBlock.ONE_GIB_ENTRY);
        locks.stage(words, rangeEntry(known.hpa()));
        locks.stage(known.words(), known.at());
    }

    /** Stages the lock of an entry alone, as {@link #lockImplicit} takes it. */
    public void stageImplicit(HeldLocks locks, PageRef known) {
        locks.stage(known.words(), known.at());
    }

    /** Whether a walk to a 4K page, whose locks are held, ends at this entry and finds a type. */
    @SuppressWarnings("ReferenceEquality") // the same entries, not equal ones
    public boolean isStill(PageRef known, PageType type) {
        long[] words = known.block().words;
        PageType inner = dynamic ? PageType.PAMT : PageType.NDA;
        return PamtEntry.typeCode(Cells.acquire(words, GibBlock.ONE_GIB_ENTRY))
                        == PageType.NDA.code()
                && PamtEntry.typeCode(Cells.acquire(words, rangeEntry(known.hpa()))) == inner.code()
                && known.block().entries(rangeInGib(known.hpa())) == known.words()
                && known.is(type);
    }

    /**
     * Points at the entry of a page in use, found through another structure, without any lock. Used
     * where a leaf reads or writes BEPOCH only.
     */
    public void locate(PageRef to, @Hpa long hpa, int level) {
        GibBlock block = blockInUse(hpa);
        GibBlock.Storage storage = block.storage();
        switch (level) {
            case PageInfo.LEVEL_1G ->
                    to.point(hpa, level, storage, storage.words, GibBlock.ONE_GIB_ENTRY);
            case PageInfo.LEVEL_2M -> to.point(hpa, level, storage, storage.words, rangeEntry(hpa));
            default -> to.point(hpa, level, storage, entries(block, storage, hpa), pageEntry(hpa));
        }
    }

    /** Implicit access: like {@link #locate}, and locks that entry. Returns false if it is busy. */
    public boolean lockImplicit(
            HeldLocks locks, PageRef to, @Hpa long hpa, int level, boolean alone) {
        locate(to, hpa, level);
        return locks.take(to.words(), to.at(), alone);
    }

    /**
     * Dynamic PAMT: whether the page is reserved or serves as a PAMT page. False in static mode.
     */
    public boolean isMetadataPage(@Hpa long hpa) {
        if (!dynamic) {
            return false;
        }
        GibBlock block = block(hpa);
        return block != null && isMarked(block.storage(), hpa);
    }

    /** The same for the page that a walk went to. */
    public boolean isMetadataPage(PageRef page) {
        return dynamic && isMarked(page.block(), page.hpa());
    }

    private static boolean isMarked(GibBlock.Storage storage, @Hpa long hpa) {
        long[] bits = storage.bitmap;
        int page = pageInGib(hpa);
        return bits != null && (Cells.acquire(bits, page >>> 6) >>> page & 1) != 0;
    }

    /** Dynamic PAMT: marks a page as a PAMT page. Returns false if it already is one. */
    public boolean claimMetadataPage(@Hpa long hpa) {
        GibBlock block = blockInUse(hpa);
        int page = pageInGib(hpa);
        long bit = 1L << page;
        return (Cells.getAndSetBits(block.bitmap(), page >>> 6, bit) & bit) == 0;
    }

    /** Dynamic PAMT: the page serves as PAMT no more. */
    public void releaseMetadataPage(@Hpa long hpa) {
        GibBlock block = blockInUse(hpa);
        int page = pageInGib(hpa);
        Cells.getAndClearBits(block.bitmap(), page >>> 6, 1L << page);
    }

    /**
     * Whether no 4K page of a 2M range is in use: every bitmap bit zero (dynamic), or every 4K
     * entry free (static). The caller holds the 2M entry exclusively.
     */
    public boolean isRangeFree(@Hpa long hpa) {
        GibBlock block = blockInUse(hpa);
        GibBlock.Storage storage = block.storage();
        int range = rangeInGib(hpa);
        if (dynamic) {
            long[] bits = storage.bitmap;
            if (bits == null) {
                return true;
            }
            for (int i = 0; i < BITMAP_WORDS_PER_RANGE; i++) {
                if (Cells.acquire(bits, range * BITMAP_WORDS_PER_RANGE + i) != 0) {
                    return false;
                }
            }
            return true;
        }
        long[] entries = storage.entries(range);
        if (entries == null) {
            return !block.hasReserved(
                    Addresses.alignDown(hpa, Addresses.RANGE_SIZE), Addresses.RANGE_SIZE);
        }
        return firstUsed(entries) < 0;
    }

    /** Dynamic PAMT: installs a page pair at a 2M entry that the caller holds exclusively. */
    public void installPair(PageRef range, @Hpa long page0, @Hpa long page1) {
        range.block().entries(rangeInGib(range.hpa()), spares.take(range.hpa()));
        range.writeSecond(PamtEntry.pairWord1(Addresses.pfn(page1), 0));
        range.write(PamtEntry.pairWord0(Addresses.pfn(page0)));
    }

    /**
     * Dynamic PAMT: which half of a range with a pair has the first page in use, or -1. The caller
     * holds the 2M entry exclusively. The real module looks at all entries and then insists that
     * the count agrees; the count alone says the same, without 8 KiB of memory to read.
     */
    public int halfInUse(PageRef range) {
        long[] entries = Objects.requireNonNull(range.block().entries(rangeInGib(range.hpa())));
        if (PamtEntry.count(range.word1()) == 0) {
            assert firstUsed(entries) < 0 : "pages in use that are not counted";
            return -1;
        }
        return firstUsed(entries) / (Addresses.PAGES_PER_RANGE / 2);
    }

    /** Dynamic PAMT: takes the pair from a 2M entry, leaves it free and its pages unmarked. */
    public void removePair(PageRef range) {
        releaseMetadataPage(page0(range));
        releaseMetadataPage(page1(range));
        range.write(PamtEntry.of(PageType.NDA, 0));
        range.writeSecond(0);
        spares.giveBack(range.hpa(), range.block().takeEntries(rangeInGib(range.hpa())));
    }

    /** First page of the pair of a 2M entry. */
    public static @Hpa long page0(PageRef range) {
        return Addresses.hpa(PamtEntry.pairPage(range.word0()));
    }

    /** Second page of the pair of a 2M entry. */
    public static @Hpa long page1(PageRef range) {
        return Addresses.hpa(PamtEntry.pairPage(range.word1()));
    }

    /**
     * Splits a leaf into 512 leaves of the level below, same type and owner, epoch 0. The caller
     * holds the entry exclusively.
     *
     * @param page0 pair for a 2M leaf in dynamic mode, already claimed; else ignored
     */
    public void demote(PageRef leaf, @Hpa long page0, @Hpa long page1) {
        @Pfn long owner = leaf.owner();
        long child = PamtEntry.of(PageType.REG, owner);
        if (leaf.level() == PageInfo.LEVEL_1G) {
            fillRanges(leaf, child);
            leaf.write(PamtEntry.of(PageType.NDA, 0));
            return;
        }
        int range = rangeInGib(leaf.hpa());
        if (dynamic) {
            long[] entries = spares.take(leaf.hpa());
            fill(entries, child);
            leaf.block().entries(range, entries);
            leaf.writeSecond(PamtEntry.pairWord1(Addresses.pfn(page1), Addresses.PAGES_PER_RANGE));
            leaf.write(PamtEntry.pairWord0(Addresses.pfn(page0)));
            return;
        }
        GibBlock block = blockInUse(leaf.hpa());
        fill(block.staticEntries(range), child);
        leaf.write(PamtEntry.of(PageType.NDA, 0));
    }

    /**
     * Merges 512 leaves into one of the level above. The caller holds the entry of that level
     * exclusively and has checked the children. In dynamic mode a promotion to 2M frees the pair,
     * which {@link #page0} and {@link #page1} no longer show afterwards.
     */
    public void promote(PageRef parent, @Pfn long owner) {
        int range = rangeInGib(parent.hpa());
        if (parent.level() == PageInfo.LEVEL_1G) {
            freeChildren(parent.words());
            if (dynamic) {
                parent.writeSecond(0);
            }
        } else if (dynamic) {
            releaseMetadataPage(page0(parent));
            releaseMetadataPage(page1(parent));
            parent.writeSecond(0);
            spares.giveBack(parent.hpa(), parent.block().takeEntries(range));
        } else {
            long[] entries = Objects.requireNonNull(parent.block().entries(range));
            freeChildren(entries);
        }
        parent.write(PamtEntry.of(PageType.REG, owner));
    }

    /** Read-only look at the entry that decides about a page; for auditors. */
    @Nullable PamtPage peek(@Pfn long pfn) {
        @Hpa long hpa = Addresses.hpa(pfn);
        GibBlock block = block(hpa);
        if (block == null) {
            return null;
        }
        GibBlock.Storage storage = block.peek();
        if (storage == null) {
            // As a walk would find it, without the storage that a walk would leave behind.
            boolean reserved = block.hasReserved(hpa, Addresses.PAGE_SIZE);
            return dynamic
                    ? new PamtPage(PageType.NDA, 0, PageInfo.LEVEL_2M, 0, reserved)
                    : new PamtPage(
                            reserved ? PageType.RSVD : PageType.NDA,
                            0,
                            PageInfo.LEVEL_4K,
                            0,
                            false);
        }
        boolean metadata = dynamic && isMarked(storage, hpa);
        long[] words = storage.words;
        int at = GibBlock.ONE_GIB_ENTRY;
        int level = PageInfo.LEVEL_1G;
        if (PamtEntry.typeCode(Cells.acquire(words, at)) == PageType.NDA.code()) {
            at = rangeEntry(hpa);
            level = PageInfo.LEVEL_2M;
            int type = PamtEntry.typeCode(Cells.acquire(words, at));
            boolean inner = type == (dynamic ? PageType.PAMT : PageType.NDA).code();
            long[] entries = storage.entries(rangeInGib(hpa));
            if (inner && entries != null) {
                words = entries;
                at = pageEntry(hpa);
                level = PageInfo.LEVEL_4K;
            }
        }
        long word0 = Cells.acquire(words, at);
        return new PamtPage(
                PageType.of(PamtEntry.typeCode(word0)),
                PamtEntry.owner(word0),
                level,
                Cells.acquire(words, at + 1),
                metadata);
    }

    /** Read-only look at the pair of the range of a page, or null; for auditors. */
    @Nullable PamtPair peekPair(@Pfn long pfn) {
        GibBlock block = block(Addresses.hpa(pfn));
        GibBlock.Storage storage = block == null ? null : block.peek();
        if (storage == null || !dynamic) {
            return null;
        }
        int at = rangeEntry(Addresses.hpa(pfn));
        long word0 = Cells.acquire(storage.words, at);
        if (PamtEntry.typeCode(word0) != PageType.PAMT.code()) {
            return null;
        }
        long word1 = Cells.acquire(storage.words, at + 1);
        return new PamtPair(
                PamtEntry.pairPage(word0), PamtEntry.pairPage(word1), PamtEntry.count(word1));
    }

    /** Whether some page of the GiB of a page was ever looked at; lets auditors skip the rest. */
    boolean isTouched(@Pfn long pfn) {
        GibBlock block = block(Addresses.hpa(pfn));
        return block != null && block.peek() != null;
    }

    /** Index of the 2M entry of an address in its block's words. */
    static int rangeEntry(@Hpa long hpa) {
        return PamtEntry.WORDS * rangeInGib(hpa);
    }

    private static int rangeInGib(@Hpa long hpa) {
        return (int) (hpa >>> Addresses.RANGE_SHIFT) & 511;
    }

    private static int pageEntry(@Hpa long hpa) {
        return PamtEntry.WORDS * ((int) (hpa >>> Addresses.PAGE_SHIFT) & 511);
    }

    private static int pageInGib(@Hpa long hpa) {
        return (int) (hpa >>> Addresses.PAGE_SHIFT) & (PAGES_PER_GIB - 1);
    }

    private static int finish(HeldLocks locks, int mark, boolean alone) {
        if (alone && !locks.upgradeLast()) {
            locks.releaseTo(mark);
            return LOCKED;
        }
        return FOUND;
    }

    private long[] entries(GibBlock block, GibBlock.Storage storage, @Hpa long hpa) {
        int range = rangeInGib(hpa);
        long[] entries = storage.entries(range);
        if (entries != null) {
            return entries;
        }
        assert !dynamic : "a range without page pair has no 4K entries";
        return block.staticEntries(range);
    }

    /** First entry that is not free, or -1. The caller holds the 2M entry exclusively. */
    private static int firstUsed(long[] entries) {
        for (int page = 0; page < Addresses.PAGES_PER_RANGE; page++) {
            long word = Cells.owned(entries, PamtEntry.WORDS * page);
            if (PamtEntry.typeCode(word) != PageType.NDA.code()) {
                return page;
            }
        }
        return -1;
    }

    private static void fill(long[] entries, long word0) {
        for (int page = 0; page < Addresses.PAGES_PER_RANGE; page++) {
            Cells.release(entries, PamtEntry.WORDS * page + 1, 0);
            Cells.release(entries, PamtEntry.WORDS * page, word0);
        }
    }

    /** Makes the first 512 entries free; owner and epoch keep their values, as in the module. */
    private static void freeChildren(long[] entries) {
        for (int child = 0; child < Addresses.PAGES_PER_RANGE; child++) {
            int at = PamtEntry.WORDS * child;
            long owner = PamtEntry.owner(Cells.acquire(entries, at));
            Cells.release(entries, at, PamtEntry.of(PageType.NDA, owner));
        }
    }

    private static void fillRanges(PageRef oneG, long word0) {
        long[] words = oneG.words();
        for (int range = 0; range < Addresses.PAGES_PER_RANGE; range++) {
            Cells.release(words, PamtEntry.WORDS * range + 1, 0);
            Cells.release(words, PamtEntry.WORDS * range, word0 | SharexLock.SLOTTED);
        }
    }

    /** Block of a page that is in use or was checked to be covered. */
    private GibBlock blockInUse(@Hpa long hpa) {
        GibBlock block = block(hpa);
        if (block == null) {
            throw new AssertionError("page outside any region: " + Addresses.show(hpa));
        }
        return block;
    }

    private @Nullable GibBlock block(@Hpa long hpa) {
        int chunkIndex = (int) (hpa >>> DIRECTORY_SHIFT);
        AtomicReferenceArray<@Nullable GibBlock> chunk = directory.getAcquire(chunkIndex);
        return chunk == null
                ? null
                : chunk.getAcquire((int) (hpa >>> Addresses.GIB_SHIFT) & (BLOCKS_PER_CHUNK - 1));
    }

    private void publish(GibBlock block) {
        int chunkIndex = (int) (block.base >>> DIRECTORY_SHIFT);
        AtomicReferenceArray<@Nullable GibBlock> chunk = directory.getAcquire(chunkIndex);
        if (chunk == null) {
            // Two regions of one 512 GiB chunk may be initialised at the same time.
            directory.compareAndSet(chunkIndex, null, new AtomicReferenceArray<>(BLOCKS_PER_CHUNK));
            chunk = directory.getAcquire(chunkIndex);
        }
        Objects.requireNonNull(chunk)
                .setRelease(
                        (int) (block.base >>> Addresses.GIB_SHIFT) & (BLOCKS_PER_CHUNK - 1), block);
    }

    @Override
    public String toString() {
        return (dynamic ? "dynamic" : "static") + Arrays.toString(tdmrs.toArray());
    }
}
