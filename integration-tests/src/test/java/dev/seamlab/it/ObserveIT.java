// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
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
}
