// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Makes allocations fail, in the manner of the kernel's fail_page_alloc: the nth, all from the nth
 * on, or each with a probability that follows a seed; at all sites or at those of some uses. Counts
 * what it sees, so that a sweep knows when it is through. Any thread may allocate meanwhile; which
 * of two allocations is the nth is then up to them.
 */
public final class FailureInjection implements AllocationGate {
    /** An allocation that was refused. */
    public record Refused(PageUse use, long pages) {}

    /** Decides by the number of the allocation, from 0. */
    @FunctionalInterface
    private interface Rule {
        boolean refuses(long number);
    }

    private final Rule rule;
    private final Set<PageUse> sites;
    private final AtomicLong seen = new AtomicLong();
    private final List<Refused> refused = new ArrayList<>(); // guarded by itself

    private FailureInjection(Rule rule, Set<PageUse> sites) {
        this.rule = rule;
        this.sites = sites;
    }

    /** Refuses one allocation: the one with this number, counted from 0. */
    public static FailureInjection nth(long n) {
        return new FailureInjection(number -> number == n, EnumSet.allOf(PageUse.class));
    }

    /** Refuses all allocations from the one with this number on: the host runs dry. */
    public static FailureInjection from(long n) {
        return new FailureInjection(number -> number >= n, EnumSet.allOf(PageUse.class));
    }

    /**
     * Refuses each allocation with a probability; the same numbers for the same seed.
     *
     * @param probability 0 to 1
     */
    public static FailureInjection withProbability(double probability, long seed) {
        if (!(probability >= 0 && probability <= 1)) {
            throw new IllegalArgumentException("a probability of " + probability);
        }
        return new FailureInjection(
                number -> (mix(seed + number) >>> 11) * 0x1p-53 < probability,
                EnumSet.allOf(PageUse.class));
    }

    /** The same rule, for allocations of these uses only; others are not counted either. */
    public FailureInjection at(PageUse first, PageUse... others) {
        return new FailureInjection(rule, EnumSet.of(first, others));
    }

    @Override
    public boolean admits(PageUse use, long pages) {
        if (!sites.contains(use) || !rule.refuses(seen.getAndIncrement())) {
            return true;
        }
        synchronized (refused) {
            refused.add(new Refused(use, pages));
        }
        return false;
    }

    /** Allocations that the rule was asked about. */
    public long seen() {
        return seen.get();
    }

    /** What was refused, in order; empty: a sweep with {@link #nth} is through. */
    public List<Refused> refused() {
        synchronized (refused) {
            return List.copyOf(refused);
        }
    }

    private static long mix(long value) {
        long z = (value ^ value >>> 30) * 0xBF58_476D_1CE4_E5B9L;
        z = (z ^ z >>> 27) * 0x94D0_49BB_1331_11EBL;
        return z ^ z >>> 31;
    }
}
