// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.operation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.longrunning.Operation;
import com.google.protobuf.Empty;
import com.google.rpc.Code;
import dev.seamlab.control.call.ErrorMapper;
import dev.seamlab.control.call.PageToken;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.control.events.EventLog;
import io.opentelemetry.api.trace.TracerProvider;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class OperationStoreTest {
    private static final int MAX_RUNNING = 8;
    private static final int MAX_DONE = 16;

    private final OperationStore store =
            new OperationStore(
                    new ErrorMapper(),
                    new EventLog(64),
                    TracerProvider.noop().get("test"),
                    MAX_RUNNING,
                    MAX_DONE);

    @Test
    void operation_whoseWorkReturns_isDoneWithTheResponse() {
        StoredOperation operation = store.start("create", "x", o -> Empty.getDefaultInstance());
        operation.done().join();
        assertThat(operation.toProto().getDone()).isTrue();
        assertThat(operation.toProto().getResponse().is(Empty.class)).isTrue();
    }

    @Test
    void operation_whoseWorkThrows_isDoneWithTheError() {
        StoredOperation operation =
                store.start(
                        "create",
                        "x",
                        o -> {
                            throw Rejection.invalid("field", "bad");
                        });
        operation.done().join();
        Operation proto = operation.toProto();
        assertThat(proto.getDone()).isTrue();
        assertThat(proto.getError().getCode()).isEqualTo(Code.INVALID_ARGUMENT.getNumber());
    }

    @Test
    void cancel_ofARunningOperation_isSeenByTheWork() throws InterruptedException {
        CountDownLatch asked = new CountDownLatch(1);
        StoredOperation operation =
                store.start(
                        "create",
                        "x",
                        o -> {
                            await(asked);
                            if (o.isCancelRequested()) {
                                throw Rejection.of(
                                        Code.CANCELLED,
                                        "CANCELLED",
                                        "as asked",
                                        java.util.Map.of());
                            }
                            return Empty.getDefaultInstance();
                        });
        operation.requestCancel();
        asked.countDown();
        operation.done().join();
        assertThat(operation.toProto().getError().getCode()).isEqualTo(Code.CANCELLED.getNumber());
    }

    @Test
    void start_whenTooManyRun_isRefusedUntilOneEnds() {
        CountDownLatch go = new CountDownLatch(1);
        List<StoredOperation> running = new ArrayList<>();
        for (int i = 0; i < MAX_RUNNING; i++) {
            running.add(
                    store.start(
                            "create",
                            "x",
                            o -> {
                                await(go);
                                return Empty.getDefaultInstance();
                            }));
        }
        assertThatThrownBy(() -> store.start("create", "x", o -> Empty.getDefaultInstance()))
                .isInstanceOf(Rejection.class)
                .hasMessageContaining("try again");
        go.countDown();
        running.forEach(operation -> operation.done().join());
    }

    @Test
    void finishedOperations_beyondTheBound_areForgottenOldestFirst() {
        StoredOperation first = store.done("create", "x", Empty.getDefaultInstance());
        StoredOperation last = first;
        for (int i = 0; i < MAX_DONE; i++) {
            last = store.done("create", "x", Empty.getDefaultInstance());
        }
        assertThat(store.find(first.name())).isNull();
        assertThat(store.find(last.name())).isSameAs(last);
        assertThat(store.after("", Integer.MAX_VALUE)).hasSize(MAX_DONE);
    }

    @Test
    void requestId_sentTwice_startsOnce() {
        RequestIds ids = new RequestIds();
        Empty request = Empty.getDefaultInstance();
        StoredOperation first = ids.once("id", request, () -> store.done("create", "x", request));
        StoredOperation second = ids.once("id", request, () -> store.done("create", "x", request));
        assertThat(second).isSameAs(first);
        assertThatThrownBy(() ->
                        ids.once("id", com.google.protobuf.StringValue.of("other"), () -> first))
                .isInstanceOf(Rejection.class)
                .hasMessageContaining("request_id");
        assertThat(ids.once("", request, () -> store.done("create", "x", request)))
                .isNotSameAs(first);
    }

    @Test
    void pageToken_ofAnotherQueryOrNobody_isRefused() {
        PageToken tokens = PageToken.of("ListTrustDomains");
        String token = tokens.write("td-7", "state=RUNNING");
        assertThat(tokens.read(token, "state=RUNNING")).isEqualTo("td-7");
        assertThat(tokens.read("", "anything")).isEmpty();
        assertThatThrownBy(() -> tokens.read(token, "")).isInstanceOf(Rejection.class);
        assertThatThrownBy(() -> tokens.read("%%%", "")).isInstanceOf(Rejection.class);
        assertThatThrownBy(() -> tokens.read("AAAA", "")).isInstanceOf(Rejection.class);
        PageToken others = PageToken.of("ListVms");
        assertThatThrownBy(() -> others.read(token, "state=RUNNING")).isInstanceOf(Rejection.class);
        assertThat(tokens.readNumber(tokens.write(7, "q"), "q")).hasValue(7);
        assertThat(tokens.readNumber("", "q")).isEmpty();
        String negative = tokens.write("-7", "q");
        assertThatThrownBy(() -> tokens.readNumber(negative, "q")).isInstanceOf(Rejection.class);
        assertThatThrownBy(() -> tokens.readNumber(token, "state=RUNNING"))
                .isInstanceOf(Rejection.class);
    }

    @Test
    void drain_waitsForOperationsThatFinish() {
        CountDownLatch go = new CountDownLatch(1);
        store.start(
                "create",
                "x",
                o -> {
                    await(go);
                    return Empty.getDefaultInstance();
                });
        go.countDown();
        assertThat(store.drain(Duration.ofSeconds(30)))
                .satisfies(ending -> assertThat(ending.cancelled() + ending.stuck()).isZero());
    }

    @Test
    void drain_cancelsWhatDoesNotFinish_andCountsWhatDoesNotEndEvenThen() {
        CountDownLatch never = new CountDownLatch(1);
        store.start(
                "create",
                "heeds",
                o -> {
                    while (!o.isCancelRequested()) {
                        Thread.onSpinWait();
                    }
                    throw Rejection.of(Code.CANCELLED, "CANCELLED", "as asked", java.util.Map.of());
                });
        store.start(
                "create",
                "does not",
                o -> {
                    await(never);
                    return Empty.getDefaultInstance();
                });
        assertThat(store.drain(Duration.ofMillis(200)))
                .isEqualTo(new OperationStore.Ending(0, 1, 1));
        never.countDown();
    }

    private static void await(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
