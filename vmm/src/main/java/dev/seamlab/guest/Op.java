// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

import dev.seamlab.guest.GuestMemory.Range;
import dev.seamlab.machine.GuestMode;
import java.util.List;

/** One operation of a guest program. Addresses are private; the runner sets the shared bit. */
public sealed interface Op {
    /** Touches every page of a range once, in order, moving no data. */
    record Touch(Range range, GuestMode.Access access, boolean shared) implements Op {}

    /**
     * Accepts every page of a range (TDG.MEM.PAGE.ACCEPT).
     *
     * @param large tries 2 MiB units first and falls back to 4 KiB, as Linux guests do
     */
    record Accept(Range range, boolean large) implements Op {}

    /**
     * Uses memory as a Linux guest with lazy acceptance does: accepts each unit right before it
     * touches the unit's pages for the first time.
     *
     * @param unit bytes accepted in one go, aligned; a power of two, at least 4 KiB
     */
    record Use(Range range, long unit) implements Op {
        /** What Linux accepts at once: a page block of the largest order of its allocator. */
        public static final long LINUX_UNIT = 4L << 20;

        /** The unit where a program names none: as large as one ACCEPT can be. */
        public static final long DEFAULT_UNIT = 2L << 20;

        public Use {
            if (Long.bitCount(unit) != 1 || unit < 4096) {
                throw new IllegalArgumentException("a unit of " + unit + " bytes");
            }
        }

        /** With the usual unit. */
        public Use(Range range) {
            this(range, DEFAULT_UNIT);
        }
    }

    /**
     * Touches pages of a range at random, which have to be accepted already (or the guest takes
     * #VE, and accepts them one by one).
     *
     * @param touches how many
     * @param skewPercent exponent of Zipf's law in hundredths; 0 makes all pages alike
     * @param seed the same walk for the same seed; each vCPU adds its number
     */
    record Walk(Range range, long touches, long skewPercent, long seed) implements Op {}

    /** Asks the host to make a range shared or private (TDVMCALL MapGPA). */
    record MapGpa(Range range, boolean toShared) implements Op {}

    /** Extends a run-time measurement register with the SHA-384 of a text. */
    record RtmrExtend(int index, String text) implements Op {}

    /** Produces a TDREPORT, over 64 zero bytes of REPORTDATA, at an accepted page. */
    record Report(long gpa) implements Op {}

    /** Sleeps until an interrupt (TDVMCALL HLT). */
    record Halt() implements Op {}

    /** Executes for a while without touching memory: {@code steps} instructions. */
    record Spin(long steps) implements Op {}

    /** Repeats operations; nests. */
    record Loop(long times, List<Op> body) implements Op {
        public Loop {
            body = List.copyOf(body);
        }
    }

    /** Tells the host that the guest cannot go on (TDVMCALL ReportFatalError). */
    record FatalError(long code, String message) implements Op {}

    /** Powers the TD off: the write to the ACPI control port that QEMU's guests do. */
    record Shutdown() implements Op {}

    /** Operations that only one vCPU executes. */
    record OnVcpu(int vcpu, List<Op> body) implements Op {
        public OnVcpu {
            body = List.copyOf(body);
        }
    }
}
