// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.lincheck;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.pamt.FlatRefcounts;
import dev.seamlab.host.pamt.RangeRefcounts;
import dev.seamlab.host.pamt.SparseRefcounts;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.profile.AddressRange;
import java.util.List;
import org.jetbrains.lincheck.datastructures.BooleanGen;
import org.jetbrains.lincheck.datastructures.Operation;
import org.jetbrains.lincheck.datastructures.Param;

/** Two counters, in a GiB each, so that the words behind them appear meanwhile. */
@Param(name = "other", gen = BooleanGen.class)
public abstract class CounterPrograms {
    private static final long GIB_PFNS = 1L << 18;

    private final RangeRefcounts counts;

    CounterPrograms(RangeRefcounts counts) {
        this.counts = counts;
    }

    private static long pfn(boolean other) {
        return other ? GIB_PFNS : 0;
    }

    @Operation
    public boolean incNotZero(@Param(name = "other") boolean other) {
        return counts.incNotZero(pfn(other));
    }

    @Operation
    public void increment(@Param(name = "other") boolean other) {
        counts.increment(pfn(other));
    }

    @Operation
    public boolean decAboveOne(@Param(name = "other") boolean other) {
        return counts.decAboveOne(pfn(other));
    }

    @Operation
    public int read(@Param(name = "other") boolean other) {
        return counts.read(pfn(other));
    }

    /** A host of a few pages on two nodes. */
    static PageAllocator allocator() {
        return new PageAllocator(new PhysicalMemory(), List.of(ram(1L << 20), ram(1L << 30)));
    }

    private static List<AddressRange> ram(long start) {
        return List.of(new AddressRange(start, start + (64L << 12)));
    }

    static SparseRefcounts sparse() {
        SparseRefcounts counts = new SparseRefcounts(allocator(), 2 * GIB_PFNS);
        assertThat(counts.populate(0, 2 * GIB_PFNS, 0)).isZero();
        return counts;
    }

    /** One array for all. */
    public static class Flat extends CounterPrograms {
        public Flat() {
            super(flat());
        }

        private static FlatRefcounts flat() {
            FlatRefcounts counts = new FlatRefcounts(allocator(), 2 * GIB_PFNS);
            assertThat(counts.allocate()).isZero();
            return counts;
        }
    }

    /** Pages of counters where there is RAM. */
    public static class Sparse extends CounterPrograms {
        public Sparse() {
            super(sparse());
        }
    }

    /** Wrong: what it saw may be old by the time it writes. */
    public static class ReadThenSet extends CounterPrograms {
        public ReadThenSet() {
            super(
                    new RangeRefcounts(2 * GIB_PFNS) {
                        @Override
                        public boolean decAboveOne(long pfn) {
                            int seen = read(pfn);
                            if (seen <= 1) {
                                return false;
                            }
                            set(pfn, seen - 1);
                            return true;
                        }

                        @Override
                        protected boolean isPopulated(long pfn) {
                            return true;
                        }

                        @Override
                        public long bytes() {
                            return 0;
                        }

                        @Override
                        public void release() {
                            // Nothing was taken.
                        }
                    });
        }
    }

    /** What the operations mean. */
    public static class OnPaper {
        private final int[] counts = new int[2];

        public boolean incNotZero(boolean other) {
            if (counts[at(other)] == 0) {
                return false;
            }
            counts[at(other)]++;
            return true;
        }

        public void increment(boolean other) {
            counts[at(other)]++;
        }

        public boolean decAboveOne(boolean other) {
            if (counts[at(other)] <= 1) {
                return false;
            }
            counts[at(other)]--;
            return true;
        }

        public int read(boolean other) {
            return counts[at(other)];
        }

        private static int at(boolean other) {
            return other ? 1 : 0;
        }
    }
}
