// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.TdmrInfo;
import dev.seamlab.seam.fuzz.Input;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Fuzz target: the TDMRs that TDH.SYS.CONFIG is given. Where it takes them, no byte serves two
 * purposes, all of it is memory, and the module can be brought up to the end.
 *
 * <pre>
 *   input = dynamic-PAMT bit and number of TDMRs, { TDMR }
 *   TDMR  = base, size, three PAMT areas (base, size), number of reserved areas, { offset, size }
 *   word  = a number of GiB, of 2 MiB, of 4 KiB, or 8 bytes
 * </pre>
 */
public final class TdmrInfoFuzz {
    private static final long ARRAY = TestModule.BUFFER;
    private static final long INFO = TestModule.BUFFER + 0x1000;
    private static final int MOST_TDMRS = 4;

    /** All that {@link TestModule} has. */
    private static final long MEMORY_START = 0x10_0000;

    private static final long MEMORY_END = 10 * Addresses.GIB;

    /** A stretch and what it is. */
    private record Stretch(long start, long end, String what) {}

    private final Input input;
    private final TestModule module = TestModule.unconfigured(ModuleProfile.V1_5_25);
    private final PhysicalMemory memory = module.machine().memory();

    private TdmrInfoFuzz(byte[] bytes) {
        input = new Input(bytes);
    }

    /** Called by the fuzzer, and by the test that runs the kept inputs. */
    public static void fuzzerTestOneInput(byte[] bytes) {
        new TdmrInfoFuzz(bytes).run();
    }

    private void run() {
        int first = input.next();
        boolean dynamic = (first & 1) != 0;
        int count = 1 + (first >>> 1) % MOST_TDMRS;
        for (int i = 0; i < count; i++) {
            write(info(i));
            memory.writeLong(ARRAY + 8L * i, info(i));
        }
        Registers regs =
                new Registers()
                        .rax(Leaf.SYS_CONFIG.number())
                        .rcx(ARRAY)
                        .rdx(count)
                        .r8(TestModule.GLOBAL_HKID | (dynamic ? 1L << 16 : 0));
        long status = module.call(regs);
        check(StatusCode.of(status) != null, "SYS.CONFIG answered " + Status.show(status));
        if (status == Status.SUCCESS) {
            checkLayout(count);
            bringUp(count);
        }
    }

    private static long info(int i) {
        return INFO + (long) i * TdmrInfo.ALIGNMENT;
    }

    private void write(long info) {
        TdmrInfo.writeRange(memory, info, word(), word());
        for (int level = PageInfo.LEVEL_1G; level >= PageInfo.LEVEL_4K; level--) {
            TdmrInfo.writePamt(memory, info, level, word(), word());
        }
        int reserved = input.next() % (TdmrInfo.RESERVED_AREAS + 1);
        for (int i = 0; i < reserved; i++) {
            TdmrInfo.writeReserved(memory, info, i, word(), word());
        }
    }

    private long word() {
        int kind = input.next();
        return switch (kind >>> 6) {
            case 0 -> (kind & 63) * Addresses.GIB;
            case 1 -> ((kind & 63) << 8 | input.next()) * Addresses.RANGE_SIZE;
            case 2 -> (((kind & 63) << 8 | input.next()) << 8 | input.next()) * Addresses.PAGE_SIZE;
            default -> input.nextLong();
        };
    }

    /** What TDMRs offer, and where their metadata lie, byte by byte. */
    private void checkLayout(int count) {
        List<Stretch> all = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            long base = TdmrInfo.base(memory, info(i));
            long size = TdmrInfo.size(memory, info(i));
            check(base % Addresses.GIB == 0 && size % Addresses.GIB == 0, "not whole GiB");
            all.addAll(offered(i, base, base + size));
            for (int level = PageInfo.LEVEL_4K; level <= PageInfo.LEVEL_1G; level++) {
                long at = TdmrInfo.pamtBase(memory, info(i), level);
                long bytes = TdmrInfo.pamtSize(memory, info(i), level);
                if (bytes > 0) {
                    all.add(new Stretch(at, at + bytes, "PAMT of level " + level + " of " + i));
                }
            }
        }
        all.sort(Comparator.comparingLong(Stretch::start));
        long end = MEMORY_START;
        for (Stretch one : all) {
            check(
                    one.start >= end && one.start < one.end,
                    one + " begins before " + Addresses.show(end) + ": " + all);
            end = one.end;
        }
        check(end <= MEMORY_END, "beyond the end of memory: " + all);
    }

    private List<Stretch> offered(int tdmr, long base, long end) {
        List<Stretch> offered = new ArrayList<>();
        long from = base;
        for (int i = 0; i < TdmrInfo.RESERVED_AREAS; i++) {
            long size = TdmrInfo.reservedSize(memory, info(tdmr), i);
            if (size == 0) {
                break;
            }
            long start = base + TdmrInfo.reservedOffset(memory, info(tdmr), i);
            check(start >= from && start + size <= end, "reserved area " + i + " of " + tdmr);
            if (from < start) {
                offered.add(new Stretch(from, start, "TDMR " + tdmr));
            }
            from = start + size;
        }
        if (from < end) {
            offered.add(new Stretch(from, end, "TDMR " + tdmr));
        }
        return offered;
    }

    private void bringUp(int count) {
        ok(module.call(Leaf.SYS_KEY_CONFIG.number()));
        Registers regs = new Registers();
        for (int i = 0; i < count; i++) {
            long base = TdmrInfo.base(memory, info(i));
            long end = base + TdmrInfo.size(memory, info(i));
            do {
                regs.clear().rax(Leaf.SYS_TDMR_INIT.number()).rcx(base);
                ok(module.call(regs));
            } while (regs.rdx() < end);
            for (long page : new long[] {base, end - Addresses.PAGE_SIZE}) {
                regs.clear().rax(Leaf.PHYMEM_PAGE_RDMD.number()).rcx(page);
                ok(module.call(regs));
            }
        }
    }

    private static void ok(long status) {
        check(status == Status.SUCCESS, "answered " + Status.show(status));
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }
}
