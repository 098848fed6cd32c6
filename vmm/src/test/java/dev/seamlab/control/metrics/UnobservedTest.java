// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.control.GrpcLab;
import io.opentelemetry.api.OpenTelemetry;
import io.prometheus.client.CollectorRegistry;
import io.quarkus.test.junit.QuarkusTest;
import jakarta.inject.Inject;
import java.util.Collections;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.Test;

/** A server that nobody told to measure or to trace. */
@QuarkusTest
class UnobservedTest {
    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    @Inject OpenTelemetry telemetry;
    @Inject CollectorRegistry registry;

    @Test
    void spans_areNotMadeOfOperations_andWouldGoNowhere() {
        try (GrpcLab lab = new GrpcLab(port);
                OperationLog records = new OperationLog()) {
            String name = lab.delete(lab.create("untraced", "idle")).getName();
            assertThat(records.done(name).getMdcCopy())
                    .containsEntry("td", "trustDomains/untraced")
                    .doesNotContainKeys("traceId", "spanId");
        }
        // With nobody behind the processor there is nobody to contact either.
        assertThat(telemetry.toString())
                .contains("spanProcessor=NoopSpanProcessor", "metricReaders=[]")
                .contains("logRecordProcessor=NoopLogRecordProcessor")
                .doesNotContain("Exporter");
    }

    @Test
    void leaves_areNotTimed_butLocksAre() {
        assertThat(Collections.list(registry.metricFamilySamples()))
                .extracting(family -> family.name)
                .contains("seamlab_lock_wait_seconds")
                .doesNotContain("seamlab_seamcall_duration_seconds");
    }
}
