// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.phymem;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.TestModule;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.pamt.PamtInspector;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Random PAMT.ADD, PAMT.REMOVE, MNG.CREATE and RECLAIM over a few ranges, against a model made of
 * sets and maps that follows section 5 of the fact sheet.
 */
class DynamicPamtOracleTest {
    private static final int STEPS = 4000;
    private static final int RANGES = 4;
    private static final int PAGES = 6;

    private final TestModule module = TestModule.dynamicPamt();
    private final Map<Long, long[]> pairs = new HashMap<>();
    private final Set<Long> metadata = new HashSet<>();
    private final Map<Long, Integer> tds = new HashMap<>();

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void anySequence_statusPairsAndCounts_asInTheModel(long seed) {
        Random random = new Random(seed);
        for (int step = 0; step < STEPS; step++) {
            switch (random.nextInt(4)) {
                case 0 -> add(range(random), page(random), page(random));
                case 1 -> remove(range(random));
                case 2 -> create(page(random), random.nextInt(0x21, 0x30));
                default -> destroy(page(random));
            }
        }
        PamtInspector pamt = module.module().view().pamt();
        assertThat(pamt.pairs()).isEqualTo(pairs.size());
        for (long range : pairs.keySet()) {
            assertThat(pamt.pair(Addresses.pfn(range)).usedPages()).isEqualTo((int) usedIn(range));
        }
        Set<Long> inUse = new HashSet<>();
        pamt.forEachUsedPage((pfn, page) -> inUse.add(Addresses.hpa(pfn)));
        assertThat(inUse).isEqualTo(tds.keySet());
    }

    private void add(long range, long page0, long page1) {
        long expected = expectAdd(range, page0, page1);
        long found =
                module.call(
                        Leaf.PHYMEM_PAMT_ADD,
                        PageInfo.ofHpa(range, PageInfo.LEVEL_2M),
                        page0,
                        page1);
        assertThat(found).isEqualTo(expected);
        if (expected == 0) {
            pairs.put(range, new long[] {page0, page1});
            metadata.add(page0);
            metadata.add(page1);
        }
    }

    private long expectAdd(long range, long page0, long page1) {
        if (pairs.containsKey(range)) {
            return StatusCode.HPA_RANGE_NOT_FREE.with(Operand.RCX);
        }
        if (tds.containsKey(page0)) {
            return StatusCode.PAGE_NOT_FREE.with(Operand.RDX);
        }
        if (tds.containsKey(page1)) {
            return StatusCode.PAGE_NOT_FREE.with(Operand.R8);
        }
        if (metadata.contains(page0)) {
            return StatusCode.PAGE_NOT_FREE.with(Operand.RDX);
        }
        if (metadata.contains(page1) || page0 == page1) {
            return StatusCode.PAGE_NOT_FREE.with(Operand.R8);
        }
        return 0;
    }

    private void remove(long range) {
        long[] pair = pairs.get(range);
        Registers regs =
                new Registers()
                        .rax(Leaf.PHYMEM_PAMT_REMOVE.number())
                        .rcx(PageInfo.ofHpa(range, PageInfo.LEVEL_2M));
        long found = module.call(regs);
        if (pair == null) {
            assertThat(found).isEqualTo(StatusCode.NO_PAMT_PAGE_PAIR.with(Operand.RCX));
        } else if (usedIn(range) > 0) {
            assertThat(found).isEqualTo(StatusCode.PAMT_PAGE_NOT_EMPTY.withDetail(0));
        } else {
            assertThat(found).isZero();
            assertThat(new long[] {regs.rdx(), regs.r8()}).isEqualTo(pair);
            pairs.remove(range);
            metadata.remove(pair[0]);
            metadata.remove(pair[1]);
        }
    }

    private void create(long page, int hkid) {
        long found = module.call(Leaf.MNG_CREATE, page, hkid, 0);
        boolean backed = pairs.containsKey(rangeOf(page));
        if (tds.containsKey(page) || (backed && metadata.contains(page))) {
            assertThat(found).isEqualTo(StatusCode.PAGE_METADATA_INCORRECT.with(Operand.RCX));
        } else if (!backed) {
            assertThat(found).isEqualTo(StatusCode.MISSING_PAMT_PAGE_PAIR.with(Operand.RCX));
        } else if (tds.containsValue(hkid)) {
            assertThat(found).isEqualTo(StatusCode.HKID_NOT_FREE.word());
        } else {
            assertThat(found).isZero();
            tds.put(page, hkid);
        }
    }

    private void destroy(long page) {
        if (!tds.containsKey(page)) {
            return;
        }
        assertThat(module.call(Leaf.MNG_VPFLUSHDONE, page, 0, 0)).isZero();
        assertThat(module.call(Leaf.PHYMEM_CACHE_WB, 0, 0, 0)).isZero();
        assertThat(module.call(Leaf.MNG_KEY_FREEID, page, 0, 0)).isZero();
        Registers regs = new Registers().rax(Leaf.PHYMEM_PAGE_RECLAIM.number()).rcx(page);
        assertThat(module.call(regs)).isZero();
        tds.remove(page);
        boolean last = usedIn(rangeOf(page)) == 0;
        assertThat(regs.r9()).isEqualTo(last ? PageInfo.REMOVAL_HINT : 0);
    }

    private long usedIn(long range) {
        return tds.keySet().stream().filter(page -> rangeOf(page) == range).count();
    }

    private static long rangeOf(long page) {
        return Addresses.alignDown(page, Addresses.RANGE_SIZE);
    }

    private static long range(Random random) {
        return TestModule.BASE + random.nextInt(RANGES) * Addresses.RANGE_SIZE;
    }

    private static long page(Random random) {
        return range(random) + random.nextInt(PAGES) * Addresses.PAGE_SIZE;
    }
}
