// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.operation;

import com.google.protobuf.Message;
import com.google.rpc.Status;
import dev.seamlab.control.call.ErrorMapper;
import dev.seamlab.control.call.Limits;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.control.events.EventLog;
import dev.seamlab.v1.Event;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.api.trace.TracerProvider;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.Scope;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jboss.logging.Logger;
import org.jboss.logging.MDC;
import org.jspecify.annotations.Nullable;

/**
 * All long-running operations. Bounded: so many run at once, further ones are refused, and of those
 * that are done the last are remembered ({@link Limits}). While one runs, what its thread logs
 * carries its name and that of its trust domain ({@code operation}, {@code td}), and the ids of its
 * trace where tracing is on.
 */
@Singleton
public final class OperationStore {
    private static final Logger LOG = Logger.getLogger(OperationStore.class);
    static final String PREFIX = "operations/";

    private final ErrorMapper errors;
    private final EventLog events;
    private final Tracer tracer;
    private final int maxRunning;
    private final int maxDone;
    private final ConcurrentSkipListMap<String, StoredOperation> byName =
            new ConcurrentSkipListMap<>();
    private final Queue<StoredOperation> finished = new ConcurrentLinkedQueue<>();
    private final Set<StoredOperation> active = ConcurrentHashMap.newKeySet();
    private final AtomicInteger running = new AtomicInteger();
    private final AtomicInteger remembered = new AtomicInteger();
    private final AtomicLong serial = new AtomicLong();

    @Inject
    OperationStore(
            ErrorMapper errors,
            EventLog events,
            Tracer tracer,
            @ConfigProperty(name = "quarkus.otel.sdk.disabled") boolean traceless,
            Limits limits) {
        this(
                errors,
                events,
                // Quarkus' own makes spans for nobody where it is off.
                traceless ? TracerProvider.noop().get("seamlab") : tracer,
                limits.runningOperations(),
                limits.keptOperations());
    }

    OperationStore(
            ErrorMapper errors, EventLog events, Tracer tracer, int maxRunning, int maxDone) {
        this.errors = errors;
        this.events = events;
        this.tracer = tracer;
        this.maxRunning = maxRunning;
        this.maxDone = maxDone;
    }

    /**
     * Starts an operation on a thread of its own.
     *
     * @param verb what is done, for the metadata
     * @param trustDomain to whom, a resource name
     * @param work does it and returns the response; what it throws becomes the error
     * @throws Rejection where too many run already
     */
    public StoredOperation start(
            String verb, String trustDomain, Function<StoredOperation, Message> work) {
        if (running.incrementAndGet() > maxRunning) {
            running.decrementAndGet();
            throw Rejection.exhausted(
                    "TOO_MANY_OPERATIONS",
                    "operations",
                    maxRunning + " operations are running: wait for one of them and try again");
        }
        StoredOperation operation = create(verb, trustDomain);
        active.add(operation);
        Context caller = Context.current(); // the span of the call, where tracing is on
        Thread.ofVirtual().name(operation.name()).start(() -> run(operation, caller, work));
        return operation;
    }

    /** An operation that is done from the start. */
    public StoredOperation done(String verb, String trustDomain, Message response) {
        StoredOperation operation = create(verb, trustDomain);
        operation.succeed(response);
        remember(operation);
        return operation;
    }

    @Nullable StoredOperation find(String name) {
        return byName.get(name);
    }

    /** Forgets an operation. One that runs goes on, but nobody hears of it. */
    public boolean forget(String name) {
        return byName.remove(name) != null;
    }

    /** Up to {@code limit} operations with names after {@code after}, in the order of names. */
    public List<StoredOperation> after(String after, int limit) {
        return byName.tailMap(after, false).values().stream().limit(limit).toList();
    }

    /** How the operations ended that were running when the server was told to. */
    public record Ending(int finished, int cancelled, int stuck) {}

    /**
     * Lets running operations finish, then cancels those that have not. The caller sees to it that
     * no new ones begin.
     *
     * @param grace how long to wait for each of the two
     */
    public Ending drain(Duration grace) {
        List<StoredOperation> all = List.copyOf(active);
        boolean finished = awaitAll(all, grace);
        List<StoredOperation> late = all.stream().filter(o -> !o.isDone()).toList();
        if (!finished) {
            late.forEach(StoredOperation::requestCancel);
            awaitAll(late, grace);
        }
        int stuck = (int) late.stream().filter(o -> !o.isDone()).count();
        return new Ending(all.size() - late.size(), late.size() - stuck, stuck);
    }

    private static boolean awaitAll(List<StoredOperation> operations, Duration longest) {
        try {
            CompletableFuture.allOf(
                            operations.stream()
                                    .map(StoredOperation::done)
                                    .toArray(CompletableFuture[]::new))
                    .get(longest.toMillis(), TimeUnit.MILLISECONDS);
            return true;
        } catch (TimeoutException e) {
            return false;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return false;
        } catch (ExecutionException e) {
            throw new IllegalStateException("operations end with an outcome", e);
        }
    }

    private StoredOperation create(String verb, String trustDomain) {
        String name = String.format("%s%s-%08x", PREFIX, verb, serial.incrementAndGet());
        StoredOperation operation = new StoredOperation(name, verb, trustDomain);
        byName.put(name, operation);
        return operation;
    }

    private void run(
            StoredOperation operation, Context caller, Function<StoredOperation, Message> work) {
        Span span =
                tracer.spanBuilder("operation " + operation.verb())
                        .setParent(caller)
                        .setAttribute("seamlab.operation", operation.name())
                        .setAttribute("seamlab.td", operation.trustDomain())
                        .startSpan();
        MDC.put("operation", operation.name());
        MDC.put("td", operation.trustDomain());
        try (Scope _ = belongingTo(span).makeCurrent()) {
            settle(operation, work, span);
        } finally {
            span.end();
            running.decrementAndGet();
            active.remove(operation);
            remember(operation);
        }
    }

    /** What a thread does and logs in this context belongs to a span, where there is one. */
    private static Context belongingTo(Span span) {
        Context now = Context.current();
        return span.getSpanContext().isValid() ? now.with(span) : now;
    }

    @SuppressWarnings("CatchingUnchecked") // Whatever happens, the operation has to end.
    private void settle(
            StoredOperation operation, Function<StoredOperation, Message> work, Span span) {
        LOG.debug("Begins");
        try {
            Message response = work.apply(operation);
            LOG.debug("Is done");
            operation.succeed(response);
        } catch (Throwable e) {
            Status error = errors.toStatus(e);
            LOG.infof("%s failed: %s", operation.name(), error.getMessage());
            span.setStatus(StatusCode.ERROR, error.getMessage());
            operation.fail(error);
        }
    }

    private void remember(StoredOperation operation) {
        events.append(Event.Type.OPERATION, operation.name(), operation.summary());
        finished.add(operation);
        if (remembered.incrementAndGet() > maxDone) {
            StoredOperation oldest = finished.poll();
            if (oldest != null) {
                remembered.decrementAndGet();
                byName.remove(oldest.name(), oldest);
            }
        }
    }
}
