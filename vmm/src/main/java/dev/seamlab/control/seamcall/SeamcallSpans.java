// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import dev.seamlab.control.call.ObserveSettings;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.sched.Waits;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.v1.WatchSeamcallsRequest;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.Tracer;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.StartupEvent;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jspecify.annotations.Nullable;

/**
 * Makes a span of one SEAMCALL in so many on the server's host, where tracing is on. A CPU only
 * fills a ring; the spans are made from it on a thread of their own. They have no parent: a CPU
 * does not know which call of the API it works for.
 */
@Singleton
final class SeamcallSpans {
    /** How often the ring is emptied. */
    private static final Duration LOOK = Duration.ofMillis(20);

    private final Tracer tracer;
    private final CountDownLatch over = new CountDownLatch(1);

    SeamcallSpans(Tracer tracer) {
        this.tracer = tracer;
    }

    void begin(
            @Observes StartupEvent event,
            @ConfigProperty(name = "quarkus.otel.sdk.disabled") boolean disabled,
            ObserveSettings settings,
            Sandboxes sandboxes) {
        if (disabled || settings.seamcallSpanEvery() == 0) {
            return;
        }
        SeamcallRing ring =
                new SeamcallRing(SeamcallFilter.of(WatchSeamcallsRequest.getDefaultInstance()));
        sandboxes.find("").tap().add(new OneIn(settings.seamcallSpanEvery(), ring));
        Thread.ofVirtual().name("seamcall-spans").start(() -> pump(ring));
    }

    void end(@Observes ShutdownEvent event) {
        over.countDown();
    }

    private void pump(SeamcallRing ring) {
        Instant wall = Instant.now();
        long start = Waits.nanoTime();
        try {
            while (!over.await(LOOK.toMillis(), TimeUnit.MILLISECONDS)) {
                while (ring.poll(
                        (cpu, in, out, began, ended) ->
                                span(
                                        cpu,
                                        in,
                                        out,
                                        wall.plusNanos(began - start),
                                        wall.plusNanos(ended - start)))) {}
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void span(int cpu, Registers in, Registers out, Instant began, Instant ended) {
        @Nullable Leaf leaf = Leaf.of((int) in.rax() & 0xFFFF);
        @Nullable StatusCode status = StatusCode.of(out.rax());
        Span span =
                tracer.spanBuilder(leaf == null ? "unknown leaf" : leaf.abiName())
                        .setNoParent()
                        .setSpanKind(SpanKind.INTERNAL)
                        .setStartTimestamp(began)
                        .setAttribute("seamlab.cpu", cpu)
                        .setAttribute(
                                "seamlab.status",
                                status == null
                                        ? String.format("0x%016x", out.rax())
                                        : status.name())
                        .startSpan();
        span.end(ended);
    }

    /** Passes one call in so many on. CPUs that count at once may lose a count; it is a sample. */
    private static final class OneIn implements SeamcallSink {
        private final int every;
        private final SeamcallRing ring;
        private int count;

        OneIn(int every, SeamcallRing ring) {
            this.every = every;
            this.ring = ring;
        }

        @Override
        public void offer(int cpu, Registers in, Registers out, long began, long ended) {
            if (++count >= every) {
                count = 0;
                ring.offer(cpu, in, out, began, ended);
            }
        }
    }
}
