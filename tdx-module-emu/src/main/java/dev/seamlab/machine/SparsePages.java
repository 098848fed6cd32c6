// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
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
    private static final VarHandle SLOTS = MethodHandles.arrayElementVarHandle(Object[].class);

    /**
     * By 512 GiB, then by GiB, by 2 MiB range and by page. Bare arrays in each other's slots: a
     * lookup is a chain of dependent loads, and an object round each array would double it.
     */
    private final @Nullable Object[] root = new @Nullable Object[1 << ROOT_BITS];

    /** The object at a page, or null. */
    @SuppressWarnings("unchecked") // only put and putIfAbsent write to a leaf
    public @Nullable T get(@Pfn long pfn) {
        @Nullable Object[] leaf = leaf(pfn);
        return leaf == null ? null : (T) SLOTS.getAcquire(leaf, page(pfn));
    }

    /**
     * Whether an object was ever put at a page of this 2M range; false means that none is there.
     */
    public boolean mayHoldRange(@Pfn long pfn) {
        return leaf(pfn) != null;
    }

    /** Puts an object at a page; null clears the slot. */
    public void put(@Pfn long pfn, @Nullable T value) {
        @Nullable Object[] leaf = value == null ? leaf(pfn) : leafForWriting(pfn);
        if (leaf != null) {
            SLOTS.setRelease(leaf, page(pfn), value);
        }
    }

    /**
     * Puts an object where none is. Returns the one that was there, or null if this one was put.
     */
    @SuppressWarnings("unchecked") // as in get
    public @Nullable T putIfAbsent(@Pfn long pfn, T value) {
        return (T) SLOTS.compareAndExchange(leafForWriting(pfn), page(pfn), (Object) null, value);
    }

    private @Nullable Object @Nullable [] leaf(@Pfn long pfn) {
        @Nullable Object[] gibs = below(root, (int) (pfn >>> 27));
        if (gibs == null) {
            return null;
        }
        @Nullable Object[] ranges = below(gibs, gib(pfn));
        return ranges == null ? null : below(ranges, range(pfn));
    }

    private @Nullable Object[] leafForWriting(@Pfn long pfn) {
        @Nullable Object[] gibs = make(root, (int) (pfn >>> 27));
        return make(make(gibs, gib(pfn)), range(pfn));
    }

    private static @Nullable Object @Nullable [] below(@Nullable Object[] slots, int index) {
        return (@Nullable Object[]) SLOTS.getAcquire(slots, index);
    }

    private static @Nullable Object[] make(@Nullable Object[] slots, int index) {
        @Nullable Object[] child = below(slots, index);
        if (child != null) {
            return child;
        }
        @Nullable Object[] fresh = new @Nullable Object[FANOUT];
        Object seen = SLOTS.compareAndExchange(slots, index, (Object) null, (Object) fresh);
        return seen == null ? fresh : (@Nullable Object[]) seen;
    }

    private static int gib(@Pfn long pfn) {
        return (int) (pfn >>> 18) & (FANOUT - 1);
    }

    private static int range(@Pfn long pfn) {
        return (int) (pfn >>> 9) & (FANOUT - 1);
    }

    private static int page(@Pfn long pfn) {
        return (int) pfn & (FANOUT - 1);
    }
}
