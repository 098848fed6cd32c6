// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Test;

class PageAllocatorTest {
    private static final long MIB = 1L << 20;

    private final PhysicalMemory memory = new PhysicalMemory();

    private PageAllocator allocator(List<List<AddressRange>> nodes) {
        return new PageAllocator(memory, nodes);
    }

    private PageAllocator twoNodes() {
        return allocator(
                List.of(
                        List.of(new AddressRange(0, 2 * MIB), new AddressRange(3 * MIB, 4 * MIB)),
                        List.of(new AddressRange(4 * MIB, 5 * MIB))));
    }

    @Test
    void firstMebibyte_isNotManaged() {
        PageAllocator pages = twoNodes();
        assertThat(pages.totalPages()).isEqualTo(3 * 256);
        assertThat(pages.allocate(0, PageUse.HOST)).isEqualTo(256);
        assertThat(pages.manages(255)).isFalse();
    }

    @Test
    void allocate_nodeIsFull_takesTheNextNodeAndThenNothing() {
        PageAllocator pages = twoNodes();
        for (int i = 0; i < 256; i++) {
            assertThat(pages.allocate(1, PageUse.CONTROL)).isEqualTo(1024 + i);
        }
        assertThat(pages.freePages(1)).isZero();
        assertThat(pages.allocate(1, PageUse.CONTROL)).isEqualTo(256);
        for (int i = 0; i < 511; i++) {
            assertThat(pages.allocate(1, PageUse.CONTROL)).isNotEqualTo(PageAllocator.NONE);
        }
        assertThat(pages.allocate(0, PageUse.CONTROL)).isEqualTo(PageAllocator.NONE);
        assertThat(pages.usedPages(PageUse.CONTROL)).isEqualTo(pages.totalPages());
    }

    @Test
    void allocateRange_holeInTheWay_staysOnOneSideOfIt() {
        PageAllocator pages = twoNodes();
        assertThat(pages.allocateRange(0, 256, 1, PageUse.PAMT_STATIC)).isEqualTo(768);
        assertThat(pages.allocateRange(0, 256, 1, PageUse.PAMT_STATIC)).isEqualTo(256);
        assertThat(pages.allocateRange(0, 257, 1, PageUse.PAMT_STATIC))
                .isEqualTo(PageAllocator.NONE);
        assertThat(pages.allocateRange(0, 200, 1, PageUse.PAMT_STATIC)).isEqualTo(1080);
    }

    @Test
    void allocateRange_aligned_isAligned() {
        PageAllocator pages =
                allocator(List.of(List.of(new AddressRange(MIB, 9 * MIB + 4096 * 3))));
        assertThat(pages.allocateRange(0, 512, 512, PageUse.GUEST_PRIVATE)).isEqualTo(1536);
        assertThat(pages.allocateRange(0, 512, 512, PageUse.GUEST_PRIVATE)).isEqualTo(1024);
    }

    @Test
    void allocateRange_severalGibs_countsAndFreesEveryPage() {
        long gib = Addresses.GIB;
        PageAllocator pages = allocator(List.of(List.of(new AddressRange(gib / 2, 5 * gib))));
        long total = pages.totalPages();
        long count = (3 * gib + 123 * 4096) >>> 12;
        long first = pages.allocateRange(0, count, 1, PageUse.PAMT_STATIC);
        assertThat(Addresses.hpa(first + count)).isEqualTo(5 * gib);
        assertThat(pages.useOf(first)).isEqualTo(PageUse.PAMT_STATIC);
        assertThat(pages.useOf(first + count / 2)).isEqualTo(PageUse.PAMT_STATIC);
        assertThat(pages.useOf(first - 1)).isNull();
        assertThat(pages.freePages()).isEqualTo(total - count);
        // A page out of the middle of a whole GiB of one use.
        pages.free(first + count / 2, PageUse.PAMT_STATIC);
        assertThat(pages.allocateRange(0, 1, 1, PageUse.HOST)).isEqualTo(first + count / 2);
        pages.retag(first + count / 2, PageUse.HOST, PageUse.PAMT_STATIC);
        pages.freeRange(first, count, PageUse.PAMT_STATIC);
        assertThat(pages.freePages()).isEqualTo(total);
        pages.check((pfn, what) -> assertThat(what).isNull());
        assertThat(pages.allocateRange(0, total, 1, PageUse.HOST)).isEqualTo((gib / 2) >>> 12);
    }

    @Test
    void free_twice_raises() {
        PageAllocator pages = twoNodes();
        long pfn = pages.allocate(0, PageUse.SEPT);
        pages.free(pfn, PageUse.SEPT);
        assertThatThrownBy(() -> pages.free(pfn, PageUse.SEPT))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("free already");
    }

    @Test
    void free_otherUse_raisesAndKeepsThePage() {
        PageAllocator pages = twoNodes();
        long pfn = pages.allocate(0, PageUse.SEPT);
        assertThatThrownBy(() -> pages.free(pfn, PageUse.CONTROL))
                .hasMessageContaining("used as SEPT");
        assertThat(pages.useOf(pfn)).isEqualTo(PageUse.SEPT);
        assertThat(pages.usedPages(PageUse.SEPT)).isEqualTo(1);
    }

    @Test
    void free_foreignAddress_raises() {
        PageAllocator pages = twoNodes();
        assertThatThrownBy(() -> pages.free(600, PageUse.HOST)).hasMessageContaining("not managed");
        assertThatThrownBy(() -> pages.free(1L << 39, PageUse.HOST))
                .hasMessageContaining("not managed");
    }

    @Test
    void freeRange_onePageOfAnotherUse_freesNone() {
        PageAllocator pages = twoNodes();
        long first = pages.allocateRange(0, 8, 1, PageUse.HOST);
        pages.retag(first + 5, PageUse.HOST, PageUse.BUFFER);
        assertThatThrownBy(() -> pages.freeRange(first, 8, PageUse.HOST))
                .hasMessageContaining("used as BUFFER");
        assertThat(pages.usedPages(PageUse.HOST)).isEqualTo(7);
        assertThat(pages.useOf(first)).isEqualTo(PageUse.HOST);
    }

    @Test
    void free_writtenPage_givesTheStorageBack() {
        PageAllocator pages = twoNodes();
        long pfn = pages.allocate(0, PageUse.BUFFER);
        memory.writeLong(Addresses.hpa(pfn), 42);
        pages.free(pfn, PageUse.BUFFER);
        assertThat(memory.writtenPages()).isZero();
    }

    @Test
    void gate_refuses_nothingIsTaken() {
        PageAllocator pages = twoNodes();
        pages.setGate((use, count) -> use != PageUse.PAMT_PAIR);
        assertThat(pages.allocate(0, PageUse.PAMT_PAIR)).isEqualTo(PageAllocator.NONE);
        assertThat(pages.allocateRange(0, 4, 1, PageUse.PAMT_PAIR)).isEqualTo(PageAllocator.NONE);
        assertThat(pages.freePages()).isEqualTo(pages.totalPages());
        assertThat(pages.allocate(0, PageUse.HOST)).isEqualTo(256);
    }

    @Test
    void allocate_underMmuLock_onlyAtomicallyAndUnderPamtLock_notAtAll() {
        PageAllocator pages = twoNodes();
        Lock mmu = new Lock(LockRank.MMU);
        mmu.lock();
        assertThatThrownBy(() -> pages.allocate(0, PageUse.SEPT))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("MMU");
        assertThat(pages.allocateAtomic(0, PageUse.SEPT)).isEqualTo(256);
        mmu.unlock();
        Lock pamt = new Lock(LockRank.PAMT);
        pamt.lock();
        assertThatThrownBy(() -> pages.allocateAtomic(0, PageUse.SEPT))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("PAGE_ALLOCATOR taken after PAMT");
        pamt.unlock();
    }

    @Test
    void twoThreads_neverGetTheSamePage() throws InterruptedException {
        PageAllocator pages = allocator(List.of(List.of(new AddressRange(MIB, 33 * MIB))));
        Map<Long, Thread> owners = new ConcurrentHashMap<>();
        Set<String> clashes = ConcurrentHashMap.newKeySet();
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 2; t++) {
            threads.add(
                    Thread.ofPlatform()
                            .start(() -> {
                                for (int round = 0; round < 2_000; round++) {
                                    long pfn = pages.allocate(0, PageUse.GUEST_PRIVATE);
                                    if (owners.put(pfn, Thread.currentThread()) != null) {
                                        clashes.add("page " + pfn);
                                    }
                                    owners.remove(pfn);
                                    pages.free(pfn, PageUse.GUEST_PRIVATE);
                                }
                            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(clashes).isEmpty();
        assertThat(pages.freePages()).isEqualTo(pages.totalPages());
    }

    @Test
    void forEachPage_showsUsedAndFreePagesOfTouchedGibs() {
        PageAllocator pages = twoNodes();
        long pfn = pages.allocate(0, PageUse.SEPT);
        Set<Long> used = new HashSet<>();
        long[] seen = new long[1];
        pages.forEachPage((page, use) -> {
            seen[0]++;
            if (use != null) {
                used.add(page);
            }
        });
        assertThat(used).containsExactly(pfn);
        assertThat(seen[0]).isEqualTo(512);
    }
}
