// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.fault;

import dev.seamlab.host.mem.PageUse;
import dev.seamlab.seam.abi.Leaf;
import java.time.Duration;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * A failure that the host is to meet.
 *
 * @param target where it strikes
 * @param trigger when it strikes
 * @param times how often it fires at most, above 0; {@link #WITHOUT_END} for always
 * @param status for a SEAMCALL, the word that it answers instead of being executed; empty where it
 *     is executed after the delay
 * @param delay how long the call takes before it goes on, 0 or more
 * @param scope on whose behalf, and where
 */
public record FaultRule(
        Target target,
        Trigger trigger,
        long times,
        OptionalLong status,
        Duration delay,
        Scope scope) {
    /** {@link #times} for a rule that never is spent. */
    public static final long WITHOUT_END = Long.MAX_VALUE;

    public FaultRule {
        if (times < 1 || delay.isNegative()) {
            throw new IllegalArgumentException(times + " times, " + delay);
        }
        if (target instanceof OfAllocation && status.isPresent()) {
            throw new IllegalArgumentException("an allocation answers no status");
        }
    }

    /** Where a fault strikes. */
    public sealed interface Target {}

    /** SEAMCALLs of a leaf. */
    public record OfLeaf(Leaf leaf) implements Target {}

    /** Allocations for a use; null for all. They find no memory. */
    public record OfAllocation(@Nullable PageUse use) implements Target {}

    /** When a fault strikes, by the number of the matching call, from 1. */
    public sealed interface Trigger {
        /** Whether this call is one that fails. */
        boolean strikes(long number);
    }

    /**
     * From a call on.
     *
     * @param first number of the first call that fails, from 1
     */
    public record From(long first) implements Trigger {
        public From {
            if (first < 1) {
                throw new IllegalArgumentException("call " + first);
            }
        }

        @Override
        public boolean strikes(long number) {
            return number >= first;
        }
    }

    /**
     * Each call with a probability. The same seed decides the same for the same number.
     *
     * @param probability above 0, at most 1
     */
    public record Randomly(double probability, long seed) implements Trigger {
        private static final long GAMMA = 0x9E37_79B9_7F4A_7C15L;

        public Randomly {
            if (!(probability > 0 && probability <= 1)) {
                throw new IllegalArgumentException("a probability of " + probability);
            }
        }

        @Override
        public boolean strikes(long number) {
            return (mix(mix(seed + GAMMA) + number * GAMMA) >>> 11) * 0x1p-53 < probability;
        }

        /** The finaliser of SplitMix64. */
        private static long mix(long value) {
            long z = (value ^ value >>> 30) * 0xBF58_476D_1CE4_E5B9L;
            z = (z ^ z >>> 27) * 0x94D0_49BB_1331_11EBL;
            return z ^ z >>> 31;
        }
    }

    /**
     * Which calls can match at all.
     *
     * @param trustDomain id of the trust domain for which the calling CPU works; null for any, also
     *     none
     * @param cpu the calling CPU; empty for any
     */
    public record Scope(@Nullable String trustDomain, OptionalInt cpu) {
        /** All calls. */
        public static final Scope ALL = new Scope(null, OptionalInt.empty());
    }
}
