// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.seamlab.control.call.Rejection;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.v1.WatchSeamcallsRequest;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class SeamcallRingTest {
    private static final long TDR = 0x12_3000L;

    private static SeamcallRing everything() {
        return new SeamcallRing(SeamcallFilter.of(WatchSeamcallsRequest.getDefaultInstance()));
    }

    private static Registers in(Leaf leaf) {
        return new Registers().rax(leaf.rax(0));
    }

    private static List<Long> drain(SeamcallRing ring) {
        List<Long> tags = new ArrayList<>();
        while (ring.poll((cpu, input, output, began, ended) -> tags.add(input.r8()))) {}
        return tags;
    }

    @Test
    void ring_thatIsFull_dropsTheNewestAndCountsThem() {
        SeamcallRing ring = everything();
        int offered = SeamcallRing.SLOTS + 7;
        for (int i = 0; i < offered; i++) {
            ring.offer(0, in(Leaf.SYS_RD).r8(i), new Registers(), 0, 1);
        }
        assertThat(ring.dropped()).isEqualTo(7);
        assertThat(drain(ring)).hasSize(SeamcallRing.SLOTS).startsWith(0L, 1L, 2L).isSorted();
        ring.offer(0, in(Leaf.SYS_RD).r8(-1), new Registers(), 0, 1);
        assertThat(drain(ring)).containsExactly(-1L);
    }

    @Test
    void call_comesOutAsItWentIn() {
        SeamcallRing ring = everything();
        Registers before = in(Leaf.SYS_RD).rdx(7);
        Registers after = new Registers().rax(StatusCode.SYS_BUSY.word()).r8(9);
        ring.offer(3, before, after, 100, 250);
        assertThat(
                        ring.poll((cpu, input, output, began, ended) -> {
                            assertThat(cpu).isEqualTo(3);
                            assertThat(input.rdx()).isEqualTo(7);
                            assertThat(output.rax()).isEqualTo(StatusCode.SYS_BUSY.word());
                            assertThat(output.r8()).isEqualTo(9);
                            assertThat(ended - began).isEqualTo(150);
                        }))
                .isTrue();
    }

    @Test
    void calls_ofManyThreads_areEachToldOnceOrCountedAsDropped() throws InterruptedException {
        SeamcallRing ring = everything();
        int threads = 4;
        int each = 50_000;
        List<Thread> writers = new ArrayList<>();
        for (int t = 0; t < threads; t++) {
            int me = t;
            writers.add(
                    Thread.ofPlatform()
                            .start(() -> {
                                Registers in = in(Leaf.SYS_RD);
                                Registers out = new Registers();
                                for (int i = 0; i < each; i++) {
                                    long tag = (long) me * each + i;
                                    ring.offer(me, in.r8(tag), out.r8(~tag), 0, 1);
                                }
                            }));
        }
        Set<Long> tags = new HashSet<>();
        long[] told = new long[1];
        while (writers.stream().anyMatch(Thread::isAlive)
                || told[0] + ring.dropped() < (long) threads * each) {
            ring.poll((cpu, input, output, began, ended) -> {
                assertThat(output.r8()).isEqualTo(~input.r8());
                assertThat(input.r8() / each).isEqualTo(cpu);
                assertThat(tags.add(input.r8())).isTrue();
                told[0]++;
            });
        }
        for (Thread writer : writers) {
            writer.join();
        }
        assertThat(told[0] + ring.dropped()).isEqualTo((long) threads * each);
        assertThat(told[0]).isGreaterThanOrEqualTo(SeamcallRing.SLOTS);
    }

    @Test
    void filter_ofEachKind_showsWhatItSays() {
        long busy = StatusCode.OPERAND_BUSY.word();
        SeamcallFilter leaf =
                SeamcallFilter.of(
                        WatchSeamcallsRequest.newBuilder().addLeaves("MEM.PAGE.AUG").build());
        assertThat(leaf.shows(in(Leaf.MEM_PAGE_AUG), busy)).isTrue();
        assertThat(leaf.shows(in(Leaf.MEM_PAGE_ADD), busy)).isFalse();
        assertThat(leaf.shows(new Registers().rax(0xFFFF), busy)).isFalse();
        SeamcallFilter errors =
                SeamcallFilter.of(WatchSeamcallsRequest.newBuilder().setErrorsOnly(true).build());
        assertThat(errors.shows(in(Leaf.SYS_RD), busy)).isTrue();
        assertThat(errors.shows(in(Leaf.SYS_RD), StatusCode.KEY_CONFIGURED.word())).isFalse();
        SeamcallFilter classes =
                SeamcallFilter.of(WatchSeamcallsRequest.newBuilder().addStatusClasses(2).build());
        assertThat(classes.shows(in(Leaf.SYS_RD), busy)).isTrue();
        assertThat(classes.shows(in(Leaf.SYS_RD), 0)).isFalse();
        SeamcallFilter td =
                SeamcallFilter.of(WatchSeamcallsRequest.newBuilder().setTdrHpa(TDR).build());
        assertThat(td.shows(in(Leaf.MEM_SEPT_ADD).rdx(TDR | 1), 0)).isTrue();
        assertThat(td.shows(in(Leaf.MNG_INIT).rcx(TDR), 0)).isTrue();
        assertThat(td.shows(in(Leaf.MNG_INIT).rdx(TDR), 0)).isFalse();
        assertThat(td.shows(in(Leaf.VP_ENTER).rcx(TDR), 0)).isFalse();
    }

    @Test
    void filter_withALeafThatDoesNotExist_isRefusedByName() {
        WatchSeamcallsRequest request =
                WatchSeamcallsRequest.newBuilder().addLeaves("SYS.RD").addLeaves("NOPE").build();
        assertThatThrownBy(() -> SeamcallFilter.of(request))
                .isInstanceOf(Rejection.class)
                .hasMessageContaining("leaves[1]")
                .hasMessageContaining("NOPE");
    }
}
