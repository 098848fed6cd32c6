// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import dev.seamlab.machine.profile.Fragmentation;
import java.util.Arrays;

/**
 * Which pages are in use when the host comes up, by the machine's fragmentation profile. Each group
 * of 1024 pages has the same number of used pages, in runs between free runs; where they lie
 * follows from the seed and the group's address alone, so that a GiB can be laid out when it is
 * first touched.
 */
final class Scatter {
    private final Fragmentation profile;
    private final int usedPerGroup;

    Scatter(Fragmentation profile) {
        this.profile = profile;
        this.usedPerGroup = BuddyMap.GROUP_PAGES * profile.usedPercent() / 100;
    }

    /** How many of a zone's GiBs, from the lowest, are scattered. */
    int gibs(int ofZone) {
        return usedPerGroup == 0 ? 0 : (int) (((long) ofZone * profile.extentPercent() + 99) / 100);
    }

    /** Used pages of a scattered GiB. */
    int pagesPerGib() {
        return usedPerGroup * BuddyMap.GROUPS;
    }

    /** Marks the used pages of a GiB whose pages are all free. */
    void mark(long gib, byte[] uses) {
        Random random = new Random(profile.seed() ^ gib * 0x9E37_79B9_7F4A_7C15L);
        for (int group = 0; group < BuddyMap.GROUPS; group++) {
            markGroup(random, group * BuddyMap.GROUP_PAGES, uses);
        }
    }

    private void markGroup(Random random, int start, byte[] uses) {
        int[] runs = new int[usedPerGroup];
        int count = 0;
        for (int left = usedPerGroup; left > 0; ) {
            runs[count] = Math.min(left, 1 << order(random));
            left -= runs[count++];
        }
        int free = BuddyMap.GROUP_PAGES - usedPerGroup;
        int[] cuts = new int[count];
        for (int i = 0; i < count; i++) {
            cuts[i] = random.below(free + 1);
        }
        Arrays.sort(cuts);
        int used = 0;
        for (int i = 0; i < count; i++) {
            int from = start + cuts[i] + used;
            Arrays.fill(uses, from, from + runs[i], BuddyMap.tag(PageUse.RESIDENT));
            used += runs[i];
        }
    }

    private int order(Random random) {
        int sum = profile.orderWeights().stream().mapToInt(Integer::intValue).sum();
        int drawn = random.below(sum);
        int order = 0;
        while (drawn >= profile.orderWeights().get(order)) {
            drawn -= profile.orderWeights().get(order++);
        }
        return order;
    }

    /** SplitMix64, written down here so that a layout stays what it is with any library. */
    private static final class Random {
        private long state;

        Random(long seed) {
            state = seed;
        }

        int below(int bound) {
            state += 0x9E37_79B9_7F4A_7C15L;
            long z = (state ^ state >>> 30) * 0xBF58_476D_1CE4_E5B9L;
            z = (z ^ z >>> 27) * 0x94D0_49BB_1331_11EBL;
            return (int) Long.remainderUnsigned(z ^ z >>> 31, bound);
        }
    }
}
