// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import dev.seamlab.seam.td.TdConfig;
import java.util.Arrays;
import java.util.List;

/**
 * MSR bitmaps of a TD: a bit for each MSR that leaves guest mode when it is read (first half of the
 * page) or written (second half); within a half first MSRs from 0, then from 0xC0000000.
 */
final class MsrBitmaps {
    /** Words of the page. */
    static final int WORDS = 512;

    private static final int HEX = 16;
    private static final int WRITE_BITS = 2 * 8 * 1024;
    private static final int HIGH_BITS = 8 * 1024;
    private static final int MSR_MASK = 0x1FFF;

    /** First and last MSR, and what makes reads and writes stay inside; the others always leave. */
    private static final String TABLE =
            """
                  10       10 free       exit
                  48       49 free       free
                  bc       bc free       exit
                  bd       bd exit       free
                  c1       c8 perfmon    perfmon
                  e1       e1 waitpkg    waitpkg
                 10a      10a exit       free
                 10b      10b free       free
                 122      122 tsx        tsx
                 174      176 free       free
                 186      18d events     events
                 1a6      1a7 perfmon    perfmon
                 1c4      1c5 xfd        xfd
                 277      277 free       free
                 309      310 perfmon    perfmon
                 329      329 metrics    metrics
                 345      345 perfmon+pt perfmon
                 38d      392 perfmon    perfmon
                 3f1      3f2 perfmon    perfmon
                 3f6      3f7 perfmon    perfmon
                 4c1      4c8 perfmon    perfmon
                 560      561 pt         pt
                 570      572 pt         pt
                 580      587 pt         pt
                 600      600 free       free
                 6a0      6a0 cet        cet
                 6a2      6a2 cet        cet
                 6a4      6a8 cet        cet
                 6e1      6e1 pks        pks
                 808      80c free       free
                 80e      80e free       free
                 810      827 free       free
                 83f      83f free       free
                 985      98a uintr      uintr
                 da0      da0 free       exit
                1200     12ff lbr        lbr
                14ce     14cf lbr        lbr
                1500     16ff lbr        lbr
                1b01     1b01 free       free
            c0000080 c0000080 free       exit
            c0000081 c0000082 free       free
            c0000084 c0000084 free       free
            c0000100 c0000103 free       free
            """;

    private record Range(int first, int last, String read, String write) {}

    private static final List<Range> RANGES = TABLE.lines().map(MsrBitmaps::parse).toList();

    private final TdConfig config;
    private final TdCpuid cpuid;

    MsrBitmaps(TdConfig config, TdCpuid cpuid) {
        this.config = config;
        this.cpuid = cpuid;
    }

    /** A word of the page. */
    long word(int index) {
        long[] words = new long[WORDS];
        Arrays.fill(words, -1);
        for (Range range : RANGES) {
            boolean reads = stays(range.read);
            boolean writes = stays(range.write);
            for (int msr = range.first; msr <= range.last; msr++) {
                int bit = (msr & MSR_MASK) + ((msr & ~MSR_MASK) == 0 ? 0 : HIGH_BITS);
                if (reads) {
                    clear(words, bit);
                }
                if (writes) {
                    clear(words, bit + WRITE_BITS);
                }
            }
        }
        return words[index];
    }

    private static void clear(long[] words, int bit) {
        words[bit / Long.SIZE] &= ~(1L << bit % Long.SIZE);
    }

    /** The CPU has no performance metrics; event filters are checked only, hence never in force. */
    private boolean stays(String condition) {
        boolean perfmon = (config.attributes() >>> 63 & 1) != 0;
        return switch (condition) {
            case "exit", "metrics" -> false;
            case "free" -> true;
            case "perfmon", "events" -> perfmon;
            case "perfmon+pt" -> perfmon && xfam(XsaveLayout.PROCESSOR_TRACE);
            case "cet" -> xfam(11) && xfam(12);
            case "pt" -> xfam(XsaveLayout.PROCESSOR_TRACE);
            case "uintr" -> xfam(14);
            case "lbr" -> xfam(15);
            case "waitpkg" -> cpuid.hasWaitPackage();
            case "pks" -> (config.attributes() >>> 30 & 1) != 0;
            case "xfd" -> cpuid.hasXfd();
            case "tsx" -> cpuid.hasTsx();
            default -> throw new AssertionError(condition);
        };
    }

    private boolean xfam(int bit) {
        return (config.xfam() >>> bit & 1) != 0;
    }

    private static Range parse(String line) {
        String[] column = line.trim().split("\\s+", -1);
        return new Range(
                Integer.parseUnsignedInt(column[0], HEX),
                Integer.parseUnsignedInt(column[1], HEX),
                column[2],
                column[3]);
    }
}
