// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.google.longrunning.Operation;
import dev.seamlab.control.GrpcLab;
import dev.seamlab.v1.GetTrustDomainRequest;
import io.quarkus.test.common.QuarkusTestResource;
import io.quarkus.test.junit.QuarkusTest;
import io.quarkus.test.junit.QuarkusTestProfile;
import io.quarkus.test.junit.TestProfile;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.function.Predicate;
import org.awaitility.Awaitility;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jboss.logmanager.ExtLogRecord;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A server that was told to measure and to trace, with a collector that listens. */
@QuarkusTest
@TestProfile(ObservedTest.Everything.class)
@QuarkusTestResource(value = LoopbackCollector.class, restrictToAnnotatedClass = true)
class ObservedTest {
    /** All that can be observed. */
    public static final class Everything implements QuarkusTestProfile {
        @Override
        public Map<String, String> getConfigOverrides() {
            // Few enough SEAMCALLs that the exporter never drops a span.
            return Map.of(
                    "seamlab.observe.leaf-times", "true",
                    "seamlab.observe.seamcall-span-every", "50");
        }
    }

    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    @ConfigProperty(name = "quarkus.http.test-port")
    int httpPort;

    @Exported Queue<byte[]> exported;

    private final List<ExportedSpan> spans = new ArrayList<>();
    private GrpcLab lab;

    @BeforeEach
    void connect() {
        lab = new GrpcLab(port);
    }

    @AfterEach
    void everythingIsAsBefore() {
        lab.close();
    }

    // ------------------------------------------------------------------ spans

    @Test
    void spans_ofACreate_linkTheCallToItsOperationAndThatToSeamcalls() {
        lab.create("spanned", "idle");
        ExportedSpan operation =
                await(span ->
                        span.name().equals("operation create")
                                && "trustDomains/spanned"
                                        .equals(span.attributes().get("seamlab.td")));
        ExportedSpan call = await(span -> span.spanId().equals(operation.parentId()));
        assertThat(call.name()).isEqualTo("seamlab.v1.TrustDomains/CreateTrustDomain");
        assertThat(call.traceId()).isEqualTo(operation.traceId());
        assertThat(call.parentId()).isEmpty();

        ExportedSpan seamcall = await(span -> span.parentId().equals(operation.spanId()));
        assertThat(seamcall.name()).startsWith("TDH.");
        assertThat(seamcall.traceId()).isEqualTo(operation.traceId());
        assertThat(seamcall.attributes()).containsKey("seamlab.status");
        assertThat(seamcall.beganNanos()).isBetween(operation.beganNanos(), operation.endedNanos());
        assertThat(seamcall.endedNanos()).isBetween(seamcall.beganNanos(), operation.endedNanos());
    }

    @Test
    void spans_ofUnaryCalls_areRootsOfTracesOfTheirOwn() {
        var e =
                GrpcLab.refused(() ->
                        lab.trustDomains()
                                .getTrustDomain(
                                        GetTrustDomainRequest.newBuilder()
                                                .setName("trustDomains/nobody")
                                                .build()));
        assertThat(e.getStatus().getCode()).isEqualTo(io.grpc.Status.Code.NOT_FOUND);
        ExportedSpan call =
                await(span -> span.name().equals("seamlab.v1.TrustDomains/GetTrustDomain"));
        assertThat(call.parentId()).isEmpty();
    }

    /** The first exported span that is wanted. */
    private ExportedSpan await(Predicate<ExportedSpan> wanted) {
        Awaitility.await()
                .atMost(Duration.ofSeconds(60))
                .until(() -> {
                    for (byte[] request = exported.poll();
                            request != null;
                            request = exported.poll()) {
                        spans.addAll(ExportedSpan.of(request));
                    }
                    return spans.stream().anyMatch(wanted);
                });
        return spans.stream().filter(wanted).findFirst().orElseThrow();
    }

    // ------------------------------------------------------------------ logs

    @Test
    void logLines_ofAnOperation_carryItsNameItsTrustDomainAndItsTrace() throws IOException {
        ExtLogRecord done;
        Operation deleted;
        try (OperationLog records = new OperationLog()) {
            deleted = lab.delete(lab.create("logged", "idle"));
            done = records.done(deleted.getName());
        }
        Map<String, String> line = parse(new JsonLog.Lines().format(done));
        assertThat(line)
                .containsEntry("message", "Is done")
                .containsEntry("operation", deleted.getName())
                .containsEntry("td", "trustDomains/logged")
                .containsKeys("time", "level", "logger", "thread");
        ExportedSpan span =
                await(each -> deleted.getName().equals(each.attributes().get("seamlab.operation")));
        assertThat(line)
                .containsEntry("traceId", span.traceId())
                .containsEntry("spanId", span.spanId());
    }

    private static Map<String, String> parse(String line) throws IOException {
        Map<String, String> fields = new HashMap<>();
        try (JsonParser json = new JsonFactory().createParser(line)) {
            assertThat(json.nextToken()).isEqualTo(JsonToken.START_OBJECT);
            while (json.nextToken() != JsonToken.END_OBJECT) {
                fields.put(json.currentName(), json.nextTextValue());
            }
        }
        return fields;
    }

    // ------------------------------------------------------------------ histograms

    @Test
    void histograms_ofLeavesAndLocks_areInSeconds_andTheirBucketsAddUp() throws Exception {
        lab.delete(lab.create("timed", "idle"));
        Map<String, Double> series = scrape();
        String create = "seamlab_seamcall_duration_seconds_%s{leaf=\"TDH.MNG.CREATE\"%s}";
        double calls = series.get(String.format(create, "count", ""));
        assertThat(calls)
                .isPositive()
                .isEqualTo(sum(series, "seamlab_seamcalls_total{", "\"TDH.MNG.CREATE\""));
        assertThat(series).containsEntry(String.format(create, "bucket", ",le=\"+Inf\""), calls);
        assertThat(series.get(String.format(create, "sum", "")))
                .as("seconds")
                .isBetween(calls * 1e-7, calls * 60);
        double upTo = 0;
        for (int bits = 6; bits <= 33; bits++) {
            String end = io.prometheus.client.Collector.doubleToGoString((1L << bits) / 1e9);
            double here = series.get(String.format(create, "bucket", ",le=\"" + end + "\""));
            assertThat(here).isBetween(upTo, calls);
            upTo = here;
        }
        series.keySet().stream()
                .filter(name -> name.startsWith("seamlab_lock_wait_seconds"))
                .forEach(name -> assertThat(name).contains("rank=\"").contains("mode=\""));
    }

    private Map<String, Double> scrape() throws IOException, InterruptedException {
        HttpResponse<String> response =
                HttpClient.newHttpClient()
                        .send(
                                HttpRequest.newBuilder(
                                                URI.create(
                                                        "http://127.0.0.1:"
                                                                + httpPort
                                                                + "/q/metrics"))
                                        .build(),
                                HttpResponse.BodyHandlers.ofString());
        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(response.body()).contains("# TYPE seamlab_seamcall_duration_seconds histogram");
        Map<String, Double> series = new HashMap<>();
        response.body()
                .lines()
                .filter(line -> !line.startsWith("#"))
                .forEach(line ->
                        series.put(
                                line.substring(0, line.lastIndexOf(' ')).replace(",}", "}"),
                                Double.parseDouble(line.substring(line.lastIndexOf(' ')))));
        return series;
    }

    private static double sum(Map<String, Double> series, String start, String part) {
        return series.entrySet().stream()
                .filter(each -> each.getKey().startsWith(start) && each.getKey().contains(part))
                .mapToDouble(Map.Entry::getValue)
                .sum();
    }
}
