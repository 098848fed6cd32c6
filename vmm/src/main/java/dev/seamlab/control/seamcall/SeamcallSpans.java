// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import dev.seamlab.control.call.ObserveSettings;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.sched.Waits;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.StatusCode;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import io.quarkus.runtime.StartupEvent;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jspecify.annotations.Nullable;

/**
 * Makes a span of one SEAMCALL in so many on the server's host, where tracing is on. The CPU's own
 * thread does it, because that one knows for whom it works: the span is a child of the operation's
 * or the call's, and begins a trace of its own on the thread of a vCPU. The exporter takes a span
 * without waiting, and drops it where it has too many.
 */
@Singleton
final class SeamcallSpans {
    private final Tracer tracer;

    SeamcallSpans(Tracer tracer) {
        this.tracer = tracer;
    }

    void begin(
            @Observes StartupEvent event,
            @ConfigProperty(name = "quarkus.otel.sdk.disabled") boolean disabled,
            ObserveSettings settings,
            Sandboxes sandboxes) {
        if (!disabled && settings.seamcallSpanEvery() > 0) {
            sandboxes.find("").tap().add(new OneIn(settings.seamcallSpanEvery(), tracer));
        }
    }

    /** Makes the spans. CPUs that count at once may lose a count; it is a sample. */
    private static final class OneIn implements SeamcallSink {
        private final int every;
        private final Tracer tracer;
        private final long wallNanos; // what the seam's clock has to be ahead of to be the wall's
        private int count;

        OneIn(int every, Tracer tracer) {
            this.every = every;
            this.tracer = tracer;
            Instant now = Instant.now();
            this.wallNanos =
                    TimeUnit.SECONDS.toNanos(now.getEpochSecond())
                            + now.getNano()
                            - Waits.nanoTime();
        }

        @Override
        public void offer(int cpu, Registers in, Registers out, long began, long ended) {
            if (++count >= every) {
                count = 0;
                span(cpu, in.rax(), out.rax(), wallNanos + began)
                        .end(wallNanos + ended, TimeUnit.NANOSECONDS);
            }
        }

        private Span span(int cpu, long rax, long word, long beganNanos) {
            @Nullable Leaf leaf = Leaf.of((int) rax & 0xFFFF);
            @Nullable StatusCode status = StatusCode.of(word);
            return tracer.spanBuilder(leaf == null ? "unknown leaf" : leaf.abiName())
                    .setParent(Context.current())
                    .setSpanKind(SpanKind.INTERNAL)
                    .setStartTimestamp(beganNanos, TimeUnit.NANOSECONDS)
                    .setAttribute("seamlab.cpu", cpu)
                    .setAttribute(
                            "seamlab.status",
                            status == null ? String.format("0x%016x", word) : status.name())
                    .startSpan();
        }
    }
}
