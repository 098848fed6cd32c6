// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.pamt;

import static dev.seamlab.control.GrpcLab.code;
import static dev.seamlab.control.GrpcLab.field;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.util.Durations;
import dev.seamlab.control.GrpcLab;
import dev.seamlab.v1.ComparePamtModesRequest;
import dev.seamlab.v1.GetPamtRegionRequest;
import dev.seamlab.v1.GetPamtStatsRequest;
import dev.seamlab.v1.ListPamtRegionsRequest;
import dev.seamlab.v1.ListPamtRegionsResponse;
import dev.seamlab.v1.NodePamt;
import dev.seamlab.v1.PamtCause;
import dev.seamlab.v1.PamtCauses;
import dev.seamlab.v1.PamtComparison;
import dev.seamlab.v1.PamtGrpc;
import dev.seamlab.v1.PamtRegion;
import dev.seamlab.v1.PamtStats;
import dev.seamlab.v1.TrustDomainPamt;
import dev.seamlab.v1.WatchPamtStatsRequest;
import dev.seamlab.v1.WatchPamtStatsResponse;
import io.grpc.Context;
import io.grpc.Status;
import io.quarkus.test.junit.QuarkusTest;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** PAMT over real gRPC; each test leaves the host as it found it. */
@QuarkusTest
class PamtServiceTest {
    private static final long PAIR = 8192;

    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    private GrpcLab lab;

    @BeforeEach
    void connect() {
        lab = new GrpcLab(port);
    }

    @AfterEach
    void everythingIsAsBefore() {
        lab.close();
    }

    @Test
    void stats_addUpFromAllSides() {
        assertThat(stats().getUsage().getDynamicBytes()).isZero();
        String first = lab.create("first", "idle");
        String second = lab.create("second", "idle");
        PamtStats stats = stats();
        long bytes = stats.getUsage().getDynamicBytes();
        assertThat(bytes).isPositive().isEqualTo(PAIR * stats.getUsage().getBackedRanges());
        assertThat(sum(stats.getUsage().getDynamicByCause())).isEqualTo(bytes);
        assertThat(stats.getTrustDomainsList().stream().map(TrustDomainPamt::getName))
                .isSubsetOf(first, second);
        assertThat(
                        stats.getTrustDomainsList().stream()
                                .mapToLong(TrustDomainPamt::getDynamicBytes)
                                .sum())
                .isEqualTo(bytes);
        assertThat(stats.getTrustDomainsList())
                .allSatisfy(td ->
                        assertThat(sum(td.getDynamicByCause())).isEqualTo(td.getDynamicBytes()));
        assertThat(stats.getNodesList().stream().mapToLong(NodePamt::getBackedRanges).sum())
                .isEqualTo(stats.getUsage().getBackedRanges());
        assertThat(stats.getNodesList().stream().mapToLong(NodePamt::getReservedBytes).sum())
                .isEqualTo(
                        stats.getUsage().getLevel1GBytes()
                                + stats.getUsage().getLevel2MBytes()
                                + stats.getUsage().getLevel4KBytes());
        assertThat(stats.getInstalledTotal() - stats.getRemovedTotal())
                .isEqualTo(stats.getUsage().getBackedRanges());
    }

    @Test
    void stats_keepPairsWhoseFirstUserIsGone() {
        String first = lab.create("founder", "idle");
        String second = lab.create("heir", "idle");
        PamtStats before = stats();
        assertThat(lab.delete(first).getDone()).isTrue();
        PamtStats after = stats();
        assertThat(after.getTrustDomainsList().stream().map(TrustDomainPamt::getName))
                .isSubsetOf("", second);
        assertThat(
                        after.getTrustDomainsList().stream()
                                .mapToLong(TrustDomainPamt::getDynamicBytes)
                                .sum())
                .isEqualTo(after.getUsage().getDynamicBytes())
                .isLessThanOrEqualTo(before.getUsage().getDynamicBytes());
    }

    @Test
    void regions_areAscendingWithTheirPairs_andTheSamePageByPage() {
        String name = lab.create("paired", "idle");
        List<PamtRegion> all = regions("", 0);
        assertThat(all).hasSize((int) stats().getUsage().getBackedRanges());
        assertThat(all).isSortedAccordingTo((a, b) -> Long.compare(a.getBaseHpa(), b.getBaseHpa()));
        assertThat(all)
                .allSatisfy(region -> {
                    assertThat(region.getBacked()).isTrue();
                    assertThat(region.getRefcount()).isBetween(1, 512);
                    assertThat(region.getPairHpasList()).hasSize(2).doesNotHaveDuplicates();
                    assertThat(region.getCause()).isNotEqualTo(PamtCause.PAMT_CAUSE_UNSPECIFIED);
                    assertThat(region.getTrustDomain()).isEqualTo(name);
                    assertThat(region.getNode()).isNotNegative();
                });
        assertThat(regions("", 1)).isEqualTo(all);
    }

    @Test
    void regions_thatGoBetweenPages_areNotMissedForOthers() {
        String gone = lab.create("gone", "idle");
        List<PamtRegion> before = regions("", 0);
        ListPamtRegionsResponse first = page("", 1, "");
        assertThat(first.getRegionsList()).containsExactly(before.getFirst());
        String stays = lab.create("stays", "idle");
        assertThat(lab.delete(gone).getDone()).isTrue();
        List<PamtRegion> seen = new ArrayList<>(first.getRegionsList());
        String token = first.getNextPageToken();
        while (!token.isEmpty()) {
            ListPamtRegionsResponse next = page("", 1, token);
            seen.addAll(next.getRegionsList());
            token = next.getNextPageToken();
        }
        assertThat(seen.stream().map(PamtRegion::getBaseHpa)).doesNotHaveDuplicates();
        long from = before.getFirst().getBaseHpa();
        assertThat(seen.subList(1, seen.size()))
                .isEqualTo(regions("", 0).stream().filter(r -> r.getBaseHpa() > from).toList());
        assertThat(lab.get(stays).getName()).isEqualTo(stays);
    }

    @Test
    void regions_byFilter_areThoseThatMatch() {
        String name = lab.create("filtered", "idle");
        List<PamtRegion> all = regions("", 0);
        for (String cause : List.of("CONTROL", "SEPT", "GUEST")) {
            assertThat(regions("cause=" + cause, 0))
                    .isEqualTo(
                            all.stream().filter(r -> r.getCause().name().endsWith(cause)).toList());
        }
        assertThat(regions("trust_domain=" + name, 0)).isEqualTo(all);
        assertThat(regions("trust_domain=trustDomains/other", 0)).isEmpty();
        assertThat(regions("refcount>=1 AND refcount<=512 AND node=0", 0))
                .isEqualTo(all.stream().filter(r -> r.getNode() == 0).toList());
        assertThat(regions("refcount>512", 0)).isEmpty();
    }

    @Test
    void regions_askedForInWaysThatAreNone_areRefusedByField() {
        String name = lab.create("asked", "idle");
        assertThat(lab.get(name).getName()).isEqualTo(name);
        assertThat(field(() -> page("nonsense", 0, ""))).isEqualTo("filter");
        assertThat(field(() -> page("colour=red", 0, ""))).isEqualTo("filter");
        assertThat(field(() -> page("cause=LOVE", 0, ""))).isEqualTo("filter");
        assertThat(field(() -> page("cause<SEPT", 0, ""))).isEqualTo("filter");
        assertThat(field(() -> page("refcount<few", 0, ""))).isEqualTo("filter");
        assertThat(field(() -> page("", 10_001, ""))).isEqualTo("page_size");
        assertThat(field(() -> page("", 1, "nonsense"))).isEqualTo("page_token");
        String token = page("refcount>0", 1, "").getNextPageToken();
        assertThat(field(() -> page("refcount>1", 1, token))).isEqualTo("page_token");
    }

    @Test
    void region_ofAnyAddress_isKnown() {
        String name = lab.create("looked", "idle");
        PamtRegion backed = regions("", 0).getFirst();
        assertThat(region(backed.getBaseHpa() + 12_345)).isEqualTo(backed);
        assertThat(backed.getTrustDomain()).isEqualTo(name);
        assertThat(lab.delete(name).getDone()).isTrue();
        PamtRegion empty = region(backed.getBaseHpa());
        assertThat(empty.getBacked()).isFalse();
        assertThat(empty.getRefcount()).isZero();
        assertThat(empty.getPairHpasList()).isEmpty();
        assertThat(empty.getCause()).isEqualTo(PamtCause.PAMT_CAUSE_UNSPECIFIED);
        assertThat(region(1L << 50).getNode()).isEqualTo(-1);
        assertThat(field(() -> region(1L << 52))).isEqualTo("hpa");
    }

    @Test
    void watch_tellsThePresentFiguresAndThenChanges() {
        Iterator<WatchPamtStatsResponse> watch = pamt().watchPamtStats(often());
        PamtStats first = watch.next().getStats();
        assertThat(first).isEqualTo(stats());
        String name = lab.create("watched", "idle");
        PamtStats now = stats();
        PamtStats told = watch.next().getStats();
        while (!told.equals(now)) {
            told = watch.next().getStats();
        }
        assertThat(lab.get(name).getMemory().getDynamicPamtBytes())
                .isEqualTo(told.getTrustDomains(0).getDynamicBytes());
    }

    @Test
    void watch_afterDisconnect_beginsWithThePresentFigures_andGivesItsPlaceBack() {
        for (int i = 0; i < 2 * PamtWatches.MAX; i++) {
            Context.CancellableContext call = Context.current().withCancellation();
            call.run(() ->
                    assertThat(pamt().watchPamtStats(often()).next().getStats())
                            .isEqualTo(stats()));
            call.cancel(null);
        }
    }

    @Test
    void watch_withADeadline_endsThere() {
        Iterator<WatchPamtStatsResponse> watch =
                PamtGrpc.newBlockingStub(lab.channel())
                        .withDeadlineAfter(200, TimeUnit.MILLISECONDS)
                        .watchPamtStats(often());
        assertThat(
                        code(() -> {
                            while (watch.hasNext()) {
                                assertThat(watch.next().hasStats()).isTrue();
                            }
                            return watch;
                        }))
                .isEqualTo(Status.Code.DEADLINE_EXCEEDED);
        assertThat(
                        field(() ->
                                pamt().watchPamtStats(
                                                WatchPamtStatsRequest.newBuilder()
                                                        .setInterval(Durations.fromMillis(1))
                                                        .build())
                                        .next()))
                .isEqualTo("interval");
    }

    @Test
    void compare_saysWhatEachModeCosts() {
        String name = lab.create("compared", "idle");
        PamtStats stats = stats();
        PamtComparison comparison =
                pamt().comparePamtModes(ComparePamtModesRequest.getDefaultInstance());
        assertThat(comparison.getDynamic()).isTrue();
        assertThat(comparison.getStaticBytes())
                .isEqualTo(stats.getUsage().getStaticEquivalentBytes());
        assertThat(comparison.getRangesInUse()).isEqualTo(stats.getUsage().getBackedRanges());
        assertThat(comparison.getDynamicBytes())
                .isEqualTo(
                        stats.getUsage().getLevel1GBytes()
                                + stats.getUsage().getLevel2MBytes()
                                + stats.getUsage().getLevel4KBytes()
                                + stats.getUsage().getRefcountBytes()
                                + stats.getUsage().getDynamicBytes());
        assertThat(comparison.getBreakEvenRanges() * 1000 / comparison.getRangesTotal())
                .isBetween(985L, 993L);
        assertThat(lab.get(name).getName()).isEqualTo(name);
    }

    // ------------------------------------------------------------------ helpers

    private PamtGrpc.PamtBlockingStub pamt() {
        return PamtGrpc.newBlockingStub(lab.channel()).withDeadlineAfter(30, TimeUnit.SECONDS);
    }

    private PamtStats stats() {
        return pamt().getPamtStats(GetPamtStatsRequest.getDefaultInstance());
    }

    private PamtRegion region(long hpa) {
        return pamt().getPamtRegion(GetPamtRegionRequest.newBuilder().setHpa(hpa).build());
    }

    private static WatchPamtStatsRequest often() {
        return WatchPamtStatsRequest.newBuilder().setInterval(Durations.fromMillis(10)).build();
    }

    private static long sum(PamtCauses causes) {
        return causes.getControlBytes() + causes.getSeptBytes() + causes.getGuestBytes();
    }

    private ListPamtRegionsResponse page(String filter, int size, String token) {
        return pamt().listPamtRegions(
                        ListPamtRegionsRequest.newBuilder()
                                .setFilter(filter)
                                .setPageSize(size)
                                .setPageToken(token)
                                .build());
    }

    private List<PamtRegion> regions(String filter, int size) {
        List<PamtRegion> all = new ArrayList<>();
        String token = "";
        do {
            ListPamtRegionsResponse page = page(filter, size, token);
            all.addAll(page.getRegionsList());
            token = page.getNextPageToken();
        } while (!token.isEmpty());
        return all;
    }
}
