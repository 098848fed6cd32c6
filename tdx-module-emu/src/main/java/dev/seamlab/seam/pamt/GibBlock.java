// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.pamt;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.lock.SharexLock;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Metadata of one initialised GiB: the 1G entry, 512 entries of 2M, and the 4K entries and bitmap
 * bits of those ranges that somebody used. An untouched block costs one small object.
 */
final class GibBlock {
    /** Where the 1G entry stands in {@link Storage#words}; a cache line after the 2M entries. */
    static final int ONE_GIB_ENTRY = 2 * 512 + 8;

    private static final int RANGES = 512;
    private static final VarHandle ENTRIES = MethodHandles.arrayElementVarHandle(long[][].class);
    private static final VarHandle STORAGE;

    static {
        try {
            STORAGE =
                    MethodHandles.lookup().findVarHandle(GibBlock.class, "storage", Storage.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** What a block keeps once one of its pages was looked at. */
    static final class Storage {
        final long[] words = new long[ONE_GIB_ENTRY + PamtEntry.WORDS];
        private final long[] @Nullable [] fourK = new long[RANGES] @Nullable [];

        /** One bit per 4K page, Dynamic PAMT only; null while every bit is zero. */
        volatile long @Nullable [] bitmap;

        Storage() {
            // Every explicit walk below shares these.
            for (int at = 0; at < words.length; at += PamtEntry.WORDS) {
                words[at] = SharexLock.SLOTTED;
            }
        }

        /** 4K entries of a range, or null where it has none. */
        long @Nullable [] entries(int range) {
            return (long[]) ENTRIES.getAcquire(fourK, range);
        }

        /** Gives a range its 4K entries. */
        void entries(int range, long[] next) {
            ENTRIES.setRelease(fourK, range, next);
        }

        /** Takes its 4K entries away from a range that has some. */
        long[] takeEntries(int range) {
            long[] last = Objects.requireNonNull(entries(range));
            ENTRIES.setRelease(fourK, range, (long[]) null);
            return last;
        }

        /** Gives a range its 4K entries if it has none. Returns whether it did. */
        boolean entriesIfNone(int range, long[] fresh) {
            return ENTRIES.compareAndSet(fourK, range, (long[]) null, fresh);
        }
    }

    final @Hpa long base;
    private final Tdmr tdmr;

    @SuppressWarnings("UnusedVariable") // written through STORAGE
    private volatile @Nullable Storage storage;

    GibBlock(@Hpa long base, Tdmr tdmr) {
        this.base = base;
        this.tdmr = tdmr;
    }

    /** Storage, or null while no page of the block was ever looked at. */
    @Nullable Storage peek() {
        return storage;
    }

    /** Storage, created on first use. */
    Storage storage() {
        Storage standing = storage;
        if (standing != null) {
            return standing;
        }
        Storage fresh = new Storage();
        if (tdmr.dynamic() && tdmr.hasReserved(base, Addresses.GIB)) {
            fresh.bitmap = reservedBits();
        }
        return STORAGE.compareAndSet(this, null, fresh) ? fresh : storage();
    }

    /** 4K entries of a range in static mode, created on first use. */
    long[] staticEntries(int range) {
        Storage s = storage();
        long[] standing = s.entries(range);
        if (standing != null) {
            return standing;
        }
        long[] fresh = new long[PamtEntry.WORDS * Addresses.PAGES_PER_RANGE];
        @Hpa long hpa = base + range * Addresses.RANGE_SIZE;
        if (tdmr.hasReserved(hpa, Addresses.RANGE_SIZE)) {
            for (int page = 0; page < Addresses.PAGES_PER_RANGE; page++) {
                if (tdmr.hasReserved(hpa + page * Addresses.PAGE_SIZE, Addresses.PAGE_SIZE)) {
                    fresh[PamtEntry.WORDS * page] = PamtEntry.of(PageType.RSVD, 0);
                }
            }
        }
        return s.entriesIfNone(range, fresh) ? fresh : staticEntries(range);
    }

    /** Bitmap, created on first use. */
    long[] bitmap() {
        Storage s = storage();
        long[] standing = s.bitmap;
        if (standing != null) {
            return standing;
        }
        synchronizedCreate(s);
        return bitmap();
    }

    /** Whether a stretch of this block lies partly in a reserved area of its TDMR. */
    boolean hasReserved(@Hpa long hpa, long size) {
        return tdmr.hasReserved(hpa, size);
    }

    private static final VarHandle BITMAP;

    static {
        try {
            BITMAP = MethodHandles.lookup().findVarHandle(Storage.class, "bitmap", long[].class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private static void synchronizedCreate(Storage s) {
        BITMAP.compareAndSet(s, null, new long[Pamt.BITMAP_WORDS_PER_GIB]);
    }

    private long[] reservedBits() {
        long[] bits = new long[Pamt.BITMAP_WORDS_PER_GIB];
        tdmr.forEachReserved(
                base,
                Addresses.GIB,
                (start, end) -> {
                    // Pages that the area touches, in whole words where it fills them.
                    int first = (int) ((start - base) >>> Addresses.PAGE_SHIFT);
                    int last = (int) ((end - 1 - base) >>> Addresses.PAGE_SHIFT);
                    for (int page = first; page <= last; ) {
                        if ((page & 63) == 0 && page + 63 <= last) {
                            bits[page >>> 6] = -1;
                            page += 64;
                        } else {
                            bits[page >>> 6] |= 1L << page;
                            page++;
                        }
                    }
                });
        return bits;
    }
}
