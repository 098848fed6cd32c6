// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

/**
 * Which page of a range comes next, at random: every page alike, or by Zipf's law. The same seed
 * gives the same walk. Allocates nothing after its construction.
 *
 * <p>Zipf's law by rejection-inversion (Hörmann and Derflinger, 1996), which needs no table however
 * many pages there are. The most popular pages are spread over the range by a multiplication with a
 * prime, so that popularity and place have nothing to do with each other.
 */
final class PageWalk {
    private static final long GOLDEN = 0x9E37_79B9_7F4A_7C15L;

    /** A prime: no number of pages that guests have is a multiple of it. */
    private static final long SPREAD = Integer.MAX_VALUE;

    private final long pages;
    private final double skew;
    private final double hX1;
    private final double hN;
    private final double s;
    private long state;

    /**
     * @param pages how many there are, at least 1
     * @param percent exponent of Zipf's law in hundredths; 0 makes every page alike
     */
    PageWalk(long pages, long percent, long seed) {
        this.pages = pages;
        this.skew = percent / 100.0;
        this.state = seed;
        this.hX1 = percent == 0 ? 0 : integral(1.5) - 1;
        this.hN = percent == 0 ? 0 : integral((double) pages + 0.5);
        this.s = percent == 0 ? 0 : 2 - inverse(integral(2.5) - density(2));
    }

    /** Index of the next page. */
    long next() {
        if (skew == 0) {
            return (long) (unit() * (double) pages);
        }
        // Up to 2^33 pages the product fits 64 bits without sign, and no two ranks share a page.
        return Long.remainderUnsigned((rank() - 1) * SPREAD, pages);
    }

    private long rank() {
        while (true) {
            double u = hN + unit() * (hX1 - hN);
            double x = inverse(u);
            long rank = Math.clamp(Math.round(x), 1, pages);
            if ((double) rank - x <= s
                    || u >= integral((double) rank + 0.5) - density((double) rank)) {
                return rank;
            }
        }
    }

    /** Antiderivative of {@link #density}, zero at 1. */
    private double integral(double x) {
        double log = Math.log(x);
        return expm1Over((1 - skew) * log) * log;
    }

    private double density(double x) {
        return Math.exp(-skew * Math.log(x));
    }

    private double inverse(double y) {
        double t = Math.max(-1, y * (1 - skew));
        return Math.exp(log1pOver(t) * y);
    }

    private static double log1pOver(double x) {
        return Math.abs(x) > 1e-8 ? Math.log1p(x) / x : 1 - x / 2;
    }

    private static double expm1Over(double x) {
        return Math.abs(x) > 1e-8 ? Math.expm1(x) / x : 1 + x / 2;
    }

    /** SplitMix64, as a number from 0 to below 1. */
    private double unit() {
        state += GOLDEN;
        long z = (state ^ (state >>> 30)) * 0xBF58_476D_1CE4_E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D0_49BB_1331_11EBL;
        return ((z ^ (z >>> 31)) >>> 11) * 0x1p-53;
    }
}
