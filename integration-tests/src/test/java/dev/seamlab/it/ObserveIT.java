// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.netty.NettyServerBuilder;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import org.awaitility.Awaitility;
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
    void leafTimes_whereAskedFor_areAHistogramPerLeaf() throws Exception {
        try (Server server = Server.start("--leaf-times")) {
            server.delete(server.create("timed", Server.smallTdRunning("idle")).getName());
            List<String> lines = metrics(server).lines().toList();
            double count =
                    value(lines, "seamlab_seamcall_duration_seconds_count{leaf=\"TDH.MNG.CREATE\"");
            assertThat(count).isEqualTo(1);
            assertThat(
                            value(
                                    lines,
                                    "seamlab_seamcall_duration_seconds_bucket{leaf=\"TDH.MNG.CREATE\",le=\"+Inf\""))
                    .isEqualTo(count);
            assertThat(
                            value(
                                    lines,
                                    "seamlab_seamcall_duration_seconds_sum{leaf=\"TDH.MNG.CREATE\""))
                    .isPositive();
            assertThat(value(lines, "grpc_server_processing_duration_seconds_count"))
                    .as("calls of the API are measured in any case")
                    .isPositive();
        }
    }

    private static double value(List<String> lines, String prefix) {
        return lines.stream()
                .filter(line -> line.startsWith(prefix))
                .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' '))))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no " + prefix));
    }

    private static String metrics(Server server) throws IOException, InterruptedException {
        return HttpClient.newHttpClient()
                .send(
                        HttpRequest.newBuilder(
                                        URI.create(
                                                "http://127.0.0.1:"
                                                        + server.httpPort()
                                                        + "/q/metrics"))
                                .build(),
                        HttpResponse.BodyHandlers.ofString())
                .body();
    }

    @Test
    void otlp_toACollector_bringsSpansOfCallsOperationsAndSeamcalls() throws Exception {
        Queue<String> exported = new ConcurrentLinkedQueue<>();
        io.grpc.Server collector = collector(exported).build().start();
        try (Server server =
                Server.start("--otlp=http://127.0.0.1:" + collector.getPort(), "--log=json")) {
            server.delete(server.create("spanned", Server.smallTdRunning("idle")).getName());
            Awaitility.await()
                    .atMost(Duration.ofSeconds(60))
                    .untilAsserted(() ->
                            assertThat(String.join("", exported))
                                    .contains(
                                            "seamlab.v1.TrustDomains/CreateTrustDomain",
                                            "operation create",
                                            "trustDomains/spanned",
                                            "TDH."));
            for (String line : server.log().lines().toList().reversed().subList(0, 1)) {
                assertThat(JsonParser.parseString(line).getAsJsonObject().keySet())
                        .contains("time", "level", "logger", "message");
            }
        } finally {
            collector.shutdownNow();
        }
    }

    /** Takes what an OpenTelemetry exporter sends, and keeps it as it is. */
    private static NettyServerBuilder collector(Queue<String> exported) {
        MethodDescriptor<byte[], byte[]> export =
                MethodDescriptor.<byte[], byte[]>newBuilder()
                        .setType(MethodDescriptor.MethodType.UNARY)
                        .setFullMethodName(
                                "opentelemetry.proto.collector.trace.v1.TraceService/Export")
                        .setRequestMarshaller(new Bytes())
                        .setResponseMarshaller(new Bytes())
                        .build();
        ServerServiceDefinition service =
                ServerServiceDefinition.builder(
                                "opentelemetry.proto.collector.trace.v1.TraceService")
                        .addMethod(
                                ServerMethodDefinition.create(
                                        export, (call, headers) -> new Taker(call, exported)))
                        .build();
        return NettyServerBuilder.forAddress(
                        new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                        InsecureServerCredentials.create())
                .addService(service);
    }

    /** Answers one export with the empty message. */
    private static final class Taker extends ServerCall.Listener<byte[]> {
        private final ServerCall<byte[], byte[]> call;
        private final Queue<String> exported;

        Taker(ServerCall<byte[], byte[]> call, Queue<String> exported) {
            this.call = call;
            this.exported = exported;
            call.request(2);
        }

        @Override
        public void onMessage(byte[] message) {
            exported.add(new String(message, StandardCharsets.ISO_8859_1));
        }

        @Override
        public void onHalfClose() {
            call.sendHeaders(new Metadata());
            call.sendMessage(new byte[0]);
            call.close(io.grpc.Status.OK, new Metadata());
        }
    }

    /** Messages as they are on the wire. */
    private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
        @Override
        public InputStream stream(byte[] value) {
            return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
            try {
                return stream.readAllBytes();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
