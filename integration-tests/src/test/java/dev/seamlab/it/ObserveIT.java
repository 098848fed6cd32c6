// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a server tells of itself beyond its plain metrics. */
class ObserveIT {
    @TempDir Path folder;

    @Test
    void trace_ofATrustDomainsLife_isATrackPerCpuWithASlicePerSeamcall() throws Exception {
        try (Server server = Server.start()) {
            AtomicBoolean over = new AtomicBoolean();
            Thread load = Thread.ofVirtual().start(() -> liveAndDie(server, over));
            Path file = folder.resolve("trace.json");
            Application.Result result =
                    Application.run(
                            "trace",
                            "--server=127.0.0.1:" + server.grpcPort(),
                            "--seconds=3",
                            "--out=" + file);
            over.set(true);
            load.join();
            assertThat(result.exitCode()).as(result.err()).isZero();
            JsonArray events =
                    JsonParser.parseString(Files.readString(file))
                            .getAsJsonObject()
                            .getAsJsonArray("traceEvents");
            Set<Integer> tracks = new TreeSet<>();
            Set<Integer> cpus = new TreeSet<>();
            Set<String> leaves = new TreeSet<>();
            boolean namesATd = false;
            for (JsonElement each : events) {
                JsonObject event = each.getAsJsonObject();
                if (event.get("name").getAsString().equals("thread_name")) {
                    tracks.add(event.get("tid").getAsInt());
                }
                if (event.get("ph").getAsString().equals("X")) {
                    cpus.add(event.get("tid").getAsInt());
                    leaves.add(event.get("name").getAsString());
                    JsonObject arguments = event.getAsJsonObject("args");
                    assertThat(arguments.get("status").getAsString()).isNotEmpty();
                    namesATd |= arguments.has("td");
                    assertThat(event.get("ts").getAsDouble()).isPositive();
                    assertThat(event.get("dur").getAsDouble()).isNotNegative();
                }
            }
            assertThat(leaves).contains("TDH.MNG.CREATE", "TDH.VP.ENTER", "TDH.MEM.PAGE.ADD");
            assertThat(tracks).isEqualTo(cpus);
            assertThat(namesATd).isTrue();
        }
    }

    private static void liveAndDie(Server server, AtomicBoolean over) {
        while (!over.get()) {
            String name = server.create("traced", Server.smallTdRunning("idle")).getName();
            server.trustDomains()
                    .startTrustDomain(
                            dev.seamlab.v1.StartTrustDomainRequest.newBuilder()
                                    .setName(name)
                                    .build());
            server.stop(name);
            server.delete(name);
        }
    }

    @Test
    void serve_toldToMeasureTraceAndLog_doesAllThree() throws Exception {
        try (ServerSocket collector = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
                Server server =
                        Server.start(
                                "--leaf-times",
                                "--otlp=http://127.0.0.1:" + collector.getLocalPort(),
                                "--log=json")) {
            server.delete(server.create("seen", Server.smallTdRunning("idle")).getName());
            assertThat(metrics(server))
                    .contains("seamlab_seamcall_duration_seconds_count{leaf=\"TDH.MNG.CREATE\"")
                    .contains("# TYPE seamlab_lock_wait_seconds histogram");
            collector.setSoTimeout(60_000);
            try (Socket exporter = collector.accept()) {
                exporter.setSoTimeout(60_000);
                assertThat(new String(exporter.getInputStream().readNBytes(14), US_ASCII))
                        .as("the exporter speaks HTTP/2")
                        .isEqualTo("PRI * HTTP/2.0");
            }
            String last = server.log().lines().toList().getLast();
            assertThat(JsonParser.parseString(last).getAsJsonObject().keySet())
                    .contains("time", "level", "logger", "thread", "message");
        }
    }

    private static String metrics(Server server) throws IOException, InterruptedException {
        URI address = URI.create("http://127.0.0.1:" + server.httpPort() + "/q/metrics");
        return HttpClient.newHttpClient()
                .send(HttpRequest.newBuilder(address).build(), HttpResponse.BodyHandlers.ofString())
                .body();
    }
}
