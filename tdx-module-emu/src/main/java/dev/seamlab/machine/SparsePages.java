// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine;

import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A map from page frame to object over the whole 52-bit space that costs memory only where
 * something was put: four levels of 512 GiB, 1 GiB, 2 MiB and 4 KiB.
 *
 * <p>Any thread may read and write. A lookup takes no lock and allocates nothing; a value that
 * {@link #get} returns was published with all that its writer did before {@link #put}.
 *
 * @param <T> what is kept per page
 */
public final class SparsePages<T> {
    private static final int FANOUT_BITS = 9;
    private static final int FANOUT = 1 << FANOUT_BITS;
    private static final int ROOT_BITS = Addresses.MAX_PHYSICAL_BITS - 39;

    private final AtomicReferenceArray<@Nullable Gibs<T>> root =
            new AtomicReferenceArray<>(1 << ROOT_BITS);

    /** The object at a page, or null. */
    public @Nullable T get(@Pfn long pfn) {
        Pages<T> leaf = leaf(pfn);
        return leaf == null ? null : leaf.slots.getAcquire((int) pfn & (FANOUT - 1));
    }

    /**
     * Whether an object was ever put at a page of this 2M range; false means that none is there.
     */
    public boolean mayHoldRange(@Pfn long pfn) {
        return leaf(pfn) != null;
    }

    /** Puts an object at a page; null clears the slot. */
    public void put(@Pfn long pfn, @Nullable T value) {
        Pages<T> leaf = value == null ? leaf(pfn) : leafForWriting(pfn);
        if (leaf != null) {
            leaf.slots.setRelease((int) pfn & (FANOUT - 1), value);
        }
    }

    /**
     * Puts an object where none is. Returns the one that was there, or null if this one was put.
     */
    public @Nullable T putIfAbsent(@Pfn long pfn, T value) {
        return leafForWriting(pfn).slots.compareAndExchange((int) pfn & (FANOUT - 1), null, value);
    }

    private @Nullable Pages<T> leaf(@Pfn long pfn) {
        Gibs<T> gibs = root.getAcquire((int) (pfn >>> 27));
        if (gibs == null) {
            return null;
        }
        Ranges<T> ranges = gibs.slots.getAcquire((int) (pfn >>> 18) & (FANOUT - 1));
        return ranges == null ? null : ranges.slots.getAcquire((int) (pfn >>> 9) & (FANOUT - 1));
    }

    private Pages<T> leafForWriting(@Pfn long pfn) {
        Gibs<T> gibs = child(root, (int) (pfn >>> 27), Gibs::new);
        Ranges<T> ranges = child(gibs.slots, (int) (pfn >>> 18) & (FANOUT - 1), Ranges::new);
        return child(ranges.slots, (int) (pfn >>> 9) & (FANOUT - 1), Pages::new);
    }

    private static <C> C child(
            AtomicReferenceArray<@Nullable C> slots, int index, Supplier<C> maker) {
        C child = slots.getAcquire(index);
        if (child != null) {
            return child;
        }
        C fresh = maker.get();
        C seen = slots.compareAndExchange(index, null, fresh);
        return seen == null ? fresh : seen;
    }

    /** The ranges of 512 GiB, by GiB. */
    private static final class Gibs<T> {
        final AtomicReferenceArray<@Nullable Ranges<T>> slots = new AtomicReferenceArray<>(FANOUT);
    }

    /** The ranges of 1 GiB. */
    private static final class Ranges<T> {
        final AtomicReferenceArray<@Nullable Pages<T>> slots = new AtomicReferenceArray<>(FANOUT);
    }

    /** The pages of one 2 MiB range. */
    private static final class Pages<T> {
        final AtomicReferenceArray<@Nullable T> slots = new AtomicReferenceArray<>(FANOUT);
    }
}
