// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.seamlab.host.Hosts;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.cpu.HostCpus;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
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
            assertThat(pages.allocate(1, PageUse.CONTROL)).isBetween(1024L, 1279L);
        }
        assertThat(pages.freePages(1)).isZero();
        assertThat(pages.allocate(1, PageUse.CONTROL)).isBetween(256L, 1023L);
        for (int i = 0; i < 511; i++) {
            assertThat(pages.allocate(1, PageUse.CONTROL)).isNotEqualTo(PageAllocator.NONE);
        }
        assertThat(pages.allocate(0, PageUse.CONTROL)).isEqualTo(PageAllocator.NONE);
        assertThat(pages.usedPages(PageUse.CONTROL)).isEqualTo(pages.totalPages());
    }

    @Test
    void allocateRange_holeInTheWay_staysOnOneSideOfIt() {
        PageAllocator pages = twoNodes();
        assertThat(pages.allocateRange(0, 255, 1, PageUse.PAMT_STATIC)).isEqualTo(256);
        // In steps of 255 the search over node 0 meets the hole and then its end.
        assertThat(pages.allocateRange(0, 255, 1, PageUse.PAMT_STATIC)).isEqualTo(1024);
        assertThat(pages.allocateRange(0, 257, 1, PageUse.PAMT_STATIC))
                .isEqualTo(PageAllocator.NONE);
        assertThat(pages.allocateRange(0, 256, 256, PageUse.PAMT_STATIC)).isEqualTo(768);
    }

    @Test
    void allocateRange_aligned_isAligned() {
        PageAllocator pages =
                allocator(List.of(List.of(new AddressRange(MIB, 9 * MIB + 4096 * 3))));
        assertThat(pages.allocateRange(0, 512, 512, PageUse.GUEST_PRIVATE)).isEqualTo(512);
        assertThat(pages.allocateRange(0, 512, 512, PageUse.GUEST_PRIVATE)).isEqualTo(1024);
        assertThat(pages.allocateRange(0, 300, 512, PageUse.GUEST_PRIVATE)).isEqualTo(1536);
        assertThat(pages.allocateRange(0, 512, 512, PageUse.GUEST_PRIVATE))
                .isEqualTo(PageAllocator.NONE);
    }

    @Test
    void allocateRange_severalGibs_countsAndFreesEveryPage() {
        long gib = Addresses.GIB;
        PageAllocator pages = allocator(List.of(List.of(new AddressRange(8 * gib, 12 * gib))));
        long total = pages.totalPages();
        long count = (3 * gib + 123 * 4096) >>> 12;
        long first = pages.allocateRange(0, count, 1, PageUse.PAMT_STATIC);
        assertThat(first).isNotEqualTo(PageAllocator.NONE);
        assertThat(pages.useOf(first)).isEqualTo(PageUse.PAMT_STATIC);
        assertThat(pages.useOf(first + count / 2)).isEqualTo(PageUse.PAMT_STATIC);
        assertThat(pages.useOf(first + count)).isNull();
        assertThat(pages.freePages()).isEqualTo(total - count);
        pages.check((pfn, what) -> assertThat(what).isNull());
        // A page out of the middle of a whole GiB of one use.
        pages.free(first + count / 2, PageUse.PAMT_STATIC);
        assertThat(pages.allocate(0, PageUse.HOST)).isEqualTo(first + count / 2);
        pages.retag(first + count / 2, PageUse.HOST, PageUse.PAMT_STATIC);
        pages.freeRange(first, count, PageUse.PAMT_STATIC);
        assertThat(pages.freePages()).isEqualTo(total);
        pages.check((pfn, what) -> assertThat(what).isNull());
        assertThat(pages.allocateRange(0, total, 1, PageUse.HOST)).isEqualTo((8 * gib) >>> 12);
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
    void gate_ofOneCpu_isToldWhichCpuAsks() {
        HostCpus cpus = new HostCpus(new Machine(Hosts.small()));
        PageAllocator pages = twoNodes();
        pages.setGate(
                new AllocationGate() {
                    @Override
                    public boolean admits(PageUse use, long count) {
                        return true;
                    }

                    @Override
                    public boolean admits(HostCpu cpu, PageUse use) {
                        return cpu.index() != 1;
                    }
                });
        HostCpu first = cpus.claim(0);
        assertThat(pages.allocate(first, PageUse.HOST)).isNotEqualTo(PageAllocator.NONE);
        cpus.release(first);
        HostCpu second = cpus.claim(1);
        assertThat(pages.allocate(second, PageUse.HOST)).isEqualTo(PageAllocator.NONE);
        cpus.release(second);
        assertThat(PageUse.PAMT_PAIR.site()).isEqualTo("pamt-pair");
    }

    @Test
    void failureInjection_nth_refusesThatOneAndTellsWhich() {
        PageAllocator pages = twoNodes();
        FailureInjection nth = FailureInjection.nth(2);
        pages.setGate(nth);
        assertThat(pages.allocate(0, PageUse.CONTROL)).isNotEqualTo(PageAllocator.NONE);
        assertThat(pages.allocateRange(0, 3, 1, PageUse.HOST)).isNotEqualTo(PageAllocator.NONE);
        assertThat(pages.allocate(0, PageUse.SEPT)).isEqualTo(PageAllocator.NONE);
        assertThat(pages.allocate(0, PageUse.SEPT)).isNotEqualTo(PageAllocator.NONE);
        assertThat(nth.refused()).containsExactly(new FailureInjection.Refused(PageUse.SEPT, 1));
        assertThat(nth.seen()).isEqualTo(4);
    }

    @Test
    void failureInjection_fromAndAtSite_refusesTheRestOfThatUse() {
        PageAllocator pages = twoNodes();
        pages.setGate(FailureInjection.from(1).at(PageUse.PAMT_PAIR));
        assertThat(pages.allocate(0, PageUse.PAMT_PAIR)).isNotEqualTo(PageAllocator.NONE);
        assertThat(pages.allocate(0, PageUse.CONTROL)).isNotEqualTo(PageAllocator.NONE);
        assertThat(pages.allocate(0, PageUse.PAMT_PAIR)).isEqualTo(PageAllocator.NONE);
        assertThat(pages.allocate(0, PageUse.PAMT_PAIR)).isEqualTo(PageAllocator.NONE);
    }

    @Test
    void failureInjection_probability_followsTheSeed() {
        List<Boolean> first = admitted(FailureInjection.withProbability(0.25, 7));
        assertThat(admitted(FailureInjection.withProbability(0.25, 7))).isEqualTo(first);
        assertThat(admitted(FailureInjection.withProbability(0.25, 8))).isNotEqualTo(first);
        assertThat(first.stream().filter(yes -> !yes).count()).isBetween(200L, 300L);
        assertThat(admitted(FailureInjection.withProbability(0, 1))).doesNotContain(false);
        assertThat(admitted(FailureInjection.withProbability(1, 1))).doesNotContain(true);
    }

    private static List<Boolean> admitted(FailureInjection gate) {
        List<Boolean> answers = new ArrayList<>();
        for (int i = 0; i < 1000; i++) {
            answers.add(gate.admits(PageUse.HOST, 1));
        }
        return answers;
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
    void nothingAllocatesOrFreesUnderThePamtLock_evenWithPagesInTheCpusList() {
        HostCpus cpus = new HostCpus(new Machine(Hosts.small()));
        PageAllocator pages = twoNodes();
        HostCpu cpu = cpus.claim(0);
        long pfn = pages.allocate(cpu, PageUse.HOST);
        pages.free(cpu, pages.allocate(cpu, PageUse.HOST), PageUse.HOST);
        Lock pamt = new Lock(LockRank.PAMT);
        pamt.lock();
        assertThatThrownBy(() -> pages.allocateAtomic(cpu, PageUse.SEPT))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("PAGE_ALLOCATOR taken after PAMT");
        assertThatThrownBy(() -> pages.free(cpu, pfn, PageUse.HOST))
                .isInstanceOf(AssertionError.class);
        pamt.unlock();
        cpus.release(cpu);
    }

    @Test
    void cpuNotClaimed_itsListIsNotTouched() {
        HostCpus cpus = new HostCpus(new Machine(Hosts.small()));
        PageAllocator pages = twoNodes();
        assertThatThrownBy(() -> pages.allocate(cpus.all().get(0), PageUse.HOST))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("not this thread's");
    }

    @Test
    void threadsOnTheirCpus_passPagesOnAndFreeThoseOfOthers_booksBalance()
            throws InterruptedException {
        HostCpus cpus = new HostCpus(new Machine(Hosts.twoPackages()));
        PageAllocator pages =
                allocator(
                        List.of(
                                List.of(new AddressRange(MIB, 17 * MIB)),
                                List.of(new AddressRange(17 * MIB, 33 * MIB))));
        Queue<Long> passed = new ConcurrentLinkedQueue<>();
        Set<Long> held = ConcurrentHashMap.newKeySet();
        List<String> clashes = new CopyOnWriteArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 4; t++) {
            int self = t;
            threads.add(
                    Thread.ofPlatform()
                            .start(() -> {
                                for (int round = 0; round < 15; round++) {
                                    HostCpu cpu = cpus.claim(self);
                                    for (int i = 0; i < 300; i++) {
                                        long pfn = pages.allocate(cpu, PageUse.GUEST_PRIVATE);
                                        if (pfn == PageAllocator.NONE || !held.add(pfn)) {
                                            clashes.add("page " + pfn);
                                        }
                                        passed.add(pfn);
                                        if (i % 3 != 0) {
                                            long other = passed.remove();
                                            held.remove(other);
                                            pages.free(cpu, other, PageUse.GUEST_PRIVATE);
                                        }
                                    }
                                    cpus.release(cpu);
                                }
                            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(held).hasSize(4 * 15 * 100);
        assertThat(pages.usedPages(PageUse.GUEST_PRIVATE)).isEqualTo(passed.size());
        pages.check((pfn, what) -> assertThat(what).isNull());
        passed.forEach(pfn -> pages.free(pfn, PageUse.GUEST_PRIVATE));
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
