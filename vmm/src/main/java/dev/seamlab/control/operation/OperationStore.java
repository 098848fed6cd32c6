// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.operation;

import com.google.protobuf.Message;
import dev.seamlab.control.call.ErrorMapper;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.control.events.EventLog;
import dev.seamlab.v1.Event;
import jakarta.inject.Singleton;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * All long-running operations. Bounded: at most {@link #MAX_RUNNING} run at once, further ones are
 * refused, and of those that are done the last {@link #MAX_DONE} are remembered.
 */
@Singleton
public final class OperationStore {
    static final int MAX_RUNNING = 256;
    static final int MAX_DONE = 1024;
    static final String PREFIX = "operations/";

    private final ErrorMapper errors;
    private final EventLog events;
    private final ConcurrentSkipListMap<String, StoredOperation> byName =
            new ConcurrentSkipListMap<>();
    private final Queue<StoredOperation> finished = new ConcurrentLinkedQueue<>();
    private final AtomicInteger running = new AtomicInteger();
    private final AtomicInteger remembered = new AtomicInteger();
    private final AtomicLong serial = new AtomicLong();

    OperationStore(ErrorMapper errors, EventLog events) {
        this.errors = errors;
        this.events = events;
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
        if (running.incrementAndGet() > MAX_RUNNING) {
            running.decrementAndGet();
            throw Rejection.exhausted(
                    "TOO_MANY_OPERATIONS",
                    "operations",
                    MAX_RUNNING + " operations are running: wait for one of them and try again");
        }
        StoredOperation operation = create(verb, trustDomain);
        Thread.ofVirtual().name(operation.name()).start(() -> run(operation, work));
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

    private StoredOperation create(String verb, String trustDomain) {
        String name = String.format("%s%s-%08x", PREFIX, verb, serial.incrementAndGet());
        StoredOperation operation = new StoredOperation(name, verb, trustDomain);
        byName.put(name, operation);
        return operation;
    }

    @SuppressWarnings("CatchingUnchecked") // Whatever happens, the operation has to end.
    private void run(StoredOperation operation, Function<StoredOperation, Message> work) {
        try {
            operation.succeed(work.apply(operation));
        } catch (Throwable e) {
            operation.fail(errors.toStatus(e));
        } finally {
            running.decrementAndGet();
            remember(operation);
        }
    }

    private void remember(StoredOperation operation) {
        events.append(Event.Type.OPERATION, operation.name(), operation.summary());
        finished.add(operation);
        if (remembered.incrementAndGet() > MAX_DONE) {
            StoredOperation oldest = finished.poll();
            if (oldest != null) {
                remembered.decrementAndGet();
                byName.remove(oldest.name(), oldest);
            }
        }
    }
}
