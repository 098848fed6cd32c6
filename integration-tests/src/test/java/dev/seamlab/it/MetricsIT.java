// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.v1.StartTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Map;
import java.util.TreeMap;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

class MetricsIT {
    @Test
    void metrics_overATrustDomainsLife_countSeamcallsFaultsPamtAndKeyIds()
            throws IOException, InterruptedException {
        try (Server server = Server.start()) {
            Map<String, Double> before = scrape(server);
            TrustDomain td = server.create("measured", Server.smallTdRunning("boot-eager"));
            server.trustDomains()
                    .startTrustDomain(
                            StartTrustDomainRequest.newBuilder().setName(td.getName()).build());
            Awaitility.await()
                    .until(() -> server.get(td.getName()).getProgress().getFinishedVcpus() == 1);
            Map<String, Double> during = scrape(server);
            server.stop(td.getName());
            server.delete(td.getName());
            Map<String, Double> after = scrape(server);

            assertThat(sum(during, "seamlab_seamcalls_total", "TDH.MEM.PAGE.AUG"))
                    .isGreaterThan(sum(before, "seamlab_seamcalls_total", "TDH.MEM.PAGE.AUG"));
            assertThat(sum(during, "seamlab_faults", ""))
                    .isGreaterThan(sum(before, "seamlab_faults", ""));
            assertThat(sum(before, "seamlab_pamt_bytes", "dynamic")).isZero();
            assertThat(sum(during, "seamlab_pamt_bytes", "dynamic")).isPositive();
            assertThat(sum(after, "seamlab_pamt_bytes", "dynamic")).isZero();
            assertThat(sum(during, "seamlab_keyids", "used"))
                    .isEqualTo(sum(before, "seamlab_keyids", "used") + 1);
        }
    }

    /** Series by name with labels. */
    private static Map<String, Double> scrape(Server server)
            throws IOException, InterruptedException {
        HttpResponse<String> response =
                HttpClient.newHttpClient()
                        .send(
                                HttpRequest.newBuilder(
                                                URI.create(
                                                        "http://127.0.0.1:"
                                                                + server.httpPort()
                                                                + "/q/metrics"))
                                        .build(),
                                HttpResponse.BodyHandlers.ofString());
        assertThat(response.statusCode()).isEqualTo(200);
        Map<String, Double> series = new TreeMap<>();
        response.body()
                .lines()
                .filter(line -> !line.startsWith("#"))
                .forEach(line -> {
                    int space = line.lastIndexOf(' ');
                    series.put(
                            line.substring(0, space),
                            Double.parseDouble(line.substring(space + 1)));
                });
        return series;
    }

    private static double sum(Map<String, Double> series, String name, String label) {
        return series.entrySet().stream()
                .filter(e -> e.getKey().startsWith(name) && e.getKey().contains(label))
                .mapToDouble(Map.Entry::getValue)
                .sum();
    }
}
