// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.concurrent.atomic.LongAdder;

/**
 * The contents of physical memory. A page that nobody wrote reads as zero and costs nothing.
 *
 * <p>Addresses carry no KeyID: the model does not encrypt, so every KeyID sees the same bytes.
 * Memory is little-endian. Any thread may access it; two threads that touch the same bytes without
 * a lock see what two CPUs would, word by word for aligned words.
 */
public final class PhysicalMemory {
    private static final int PAGE = (int) Addresses.PAGE_SIZE;
    private static final VarHandle LONGS =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle INTS =
            MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN);
    private static final VarHandle SHORTS =
            MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.LITTLE_ENDIAN);

    private final SparsePages<byte[]> pages = new SparsePages<>();
    private final LongAdder written = new LongAdder();

    /** Reads an aligned 64-bit word. */
    public long readLong(@Hpa long hpa) {
        byte[] page = pages.get(hpa >>> Addresses.PAGE_SHIFT);
        return page == null ? 0 : (long) LONGS.get(page, offset(hpa));
    }

    /** Reads a 32-bit word. */
    public int readInt(@Hpa long hpa) {
        byte[] page = pages.get(hpa >>> Addresses.PAGE_SHIFT);
        return page == null ? 0 : (int) INTS.get(page, offset(hpa));
    }

    /** Reads a 16-bit word, as an unsigned number. */
    public int readShort(@Hpa long hpa) {
        byte[] page = pages.get(hpa >>> Addresses.PAGE_SHIFT);
        return page == null ? 0 : (short) SHORTS.get(page, offset(hpa)) & 0xFFFF;
    }

    /** Reads one byte, as an unsigned number. */
    public int readByte(@Hpa long hpa) {
        byte[] page = pages.get(hpa >>> Addresses.PAGE_SHIFT);
        return page == null ? 0 : page[offset(hpa)] & 0xFF;
    }

    /** Writes a 64-bit word that does not cross a page. */
    public void writeLong(@Hpa long hpa, long value) {
        LONGS.set(writable(hpa), offset(hpa), value);
    }

    /** Writes a 32-bit word that does not cross a page. */
    public void writeInt(@Hpa long hpa, int value) {
        INTS.set(writable(hpa), offset(hpa), value);
    }

    /** Writes the low 16 bits of a value. */
    public void writeShort(@Hpa long hpa, int value) {
        SHORTS.set(writable(hpa), offset(hpa), (short) value);
    }

    /** Writes the low 8 bits of a value. */
    public void writeByte(@Hpa long hpa, int value) {
        writable(hpa)[offset(hpa)] = (byte) value;
    }

    /** Copies {@code length} bytes out of memory; may cross pages. */
    public void read(@Hpa long hpa, byte[] into, int at, int length) {
        long from = hpa;
        int to = at;
        int left = length;
        while (left > 0) {
            int n = Math.min(left, PAGE - offset(from));
            byte[] page = pages.get(from >>> Addresses.PAGE_SHIFT);
            if (page == null) {
                Arrays.fill(into, to, to + n, (byte) 0);
            } else {
                System.arraycopy(page, offset(from), into, to, n);
            }
            from += n;
            to += n;
            left -= n;
        }
    }

    /** Copies {@code length} bytes into memory; may cross pages. */
    public void write(@Hpa long hpa, byte[] from, int at, int length) {
        long to = hpa;
        int source = at;
        int left = length;
        while (left > 0) {
            int n = Math.min(left, PAGE - offset(to));
            System.arraycopy(from, source, writable(to), offset(to), n);
            to += n;
            source += n;
            left -= n;
        }
    }

    /** Makes a whole page read as zero and gives its storage back. */
    public void zeroPage(@Hpa long hpa) {
        long pfn = Addresses.pfn(hpa);
        if (pages.get(pfn) != null) {
            pages.put(pfn, null);
            written.decrement();
        }
    }

    /** Copies one page onto another; both addresses are page aligned. */
    public void copyPage(@Hpa long to, @Hpa long from) {
        byte[] source = pages.get(Addresses.pfn(from));
        if (source == null) {
            zeroPage(to);
        } else {
            System.arraycopy(source, 0, writable(to), 0, PAGE);
        }
    }

    /** Whether somebody wrote the page since it was last zeroed. Allocates nothing. */
    public boolean isWritten(@Pfn long pfn) {
        return pages.get(pfn) != null;
    }

    /**
     * Whether a page of this 2M range may have been written; false means that all of them read as
     * zero. One look for 512 pages.
     */
    public boolean isRangeTouched(@Hpa long hpa) {
        return pages.mayHoldRange(hpa >>> Addresses.PAGE_SHIFT);
    }

    /** Number of pages whose contents the emulator stores. */
    public long writtenPages() {
        return written.sum();
    }

    private byte[] writable(@Hpa long hpa) {
        long pfn = hpa >>> Addresses.PAGE_SHIFT;
        byte[] page = pages.get(pfn);
        if (page != null) {
            return page;
        }
        byte[] fresh = new byte[PAGE];
        byte[] standing = pages.putIfAbsent(pfn, fresh);
        if (standing != null) {
            return standing;
        }
        written.increment();
        return fresh;
    }

    private static int offset(@Hpa long hpa) {
        return (int) hpa & (PAGE - 1);
    }
}
