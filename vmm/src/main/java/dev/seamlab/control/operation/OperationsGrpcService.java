// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.operation;

import com.google.longrunning.CancelOperationRequest;
import com.google.longrunning.DeleteOperationRequest;
import com.google.longrunning.GetOperationRequest;
import com.google.longrunning.ListOperationsRequest;
import com.google.longrunning.ListOperationsResponse;
import com.google.longrunning.Operation;
import com.google.longrunning.OperationsGrpc;
import com.google.longrunning.WaitOperationRequest;
import com.google.protobuf.Empty;
import com.google.protobuf.util.Durations;
import com.google.rpc.Code;
import dev.seamlab.control.call.Calls;
import dev.seamlab.control.call.PageToken;
import dev.seamlab.control.call.Rejection;
import io.grpc.Context;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import io.smallrye.common.annotation.RunOnVirtualThread;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** The standard service for long-running operations. */
@GrpcService
@RunOnVirtualThread
public class OperationsGrpcService extends OperationsGrpc.OperationsImplBase {
    /** Longest wait of one call; the answer says then that the operation still runs. */
    private static final Duration LONGEST_WAIT = Duration.ofMinutes(1);

    private static final int DEFAULT_PAGE = 100;
    private static final int LARGEST_PAGE = 1000;
    private static final PageToken TOKENS = PageToken.of("ListOperations");

    private final Calls calls;
    private final OperationStore operations;

    OperationsGrpcService(Calls calls, OperationStore operations) {
        this.calls = calls;
        this.operations = operations;
    }

    @Override
    public void getOperation(GetOperationRequest request, StreamObserver<Operation> out) {
        calls.unary(request, out, r -> find(r.getName()).toProto());
    }

    @Override
    public void listOperations(
            ListOperationsRequest request, StreamObserver<ListOperationsResponse> out) {
        calls.unary(request, out, this::list);
    }

    @Override
    public void waitOperation(WaitOperationRequest request, StreamObserver<Operation> out) {
        calls.unary(request, out, this::await);
    }

    @Override
    public void deleteOperation(DeleteOperationRequest request, StreamObserver<Empty> out) {
        calls.unary(request, out, this::delete);
    }

    @Override
    public void cancelOperation(CancelOperationRequest request, StreamObserver<Empty> out) {
        calls.unary(request, out, this::cancel);
    }

    private ListOperationsResponse list(ListOperationsRequest request) {
        if (!request.getFilter().isEmpty()) {
            throw Rejection.invalid("filter", "is not supported here: leave it empty");
        }
        if (!request.getName().isEmpty() && !request.getName().equals("operations")) {
            throw Rejection.invalid("name", "must be empty or 'operations'");
        }
        if (request.getPageSize() < 0 || request.getPageSize() > LARGEST_PAGE) {
            throw Rejection.invalid("page_size", "must be 0 to " + LARGEST_PAGE);
        }
        int size = request.getPageSize() == 0 ? DEFAULT_PAGE : request.getPageSize();
        String after = TOKENS.read(request.getPageToken(), "");
        List<StoredOperation> page = operations.after(after, size + 1);
        ListOperationsResponse.Builder response = ListOperationsResponse.newBuilder();
        page.stream().limit(size).forEach(each -> response.addOperations(each.toProto()));
        if (page.size() > size) {
            response.setNextPageToken(TOKENS.write(page.get(size - 1).name(), ""));
        }
        return response.build();
    }

    private Operation await(WaitOperationRequest request) {
        StoredOperation operation = find(request.getName());
        long millis = LONGEST_WAIT.toMillis();
        if (request.hasTimeout()) {
            if (!Durations.isValid(request.getTimeout())
                    || Durations.isNegative(request.getTimeout())) {
                throw Rejection.invalid("timeout", "must be a duration of 0 or more");
            }
            millis = Math.min(millis, Durations.toMillis(request.getTimeout()));
        }
        CompletableFuture<?> waiting = operation.done().copy();
        // Ends the wait when the client hangs up or its deadline passes.
        Context.CancellationListener gone = context -> waiting.cancel(false);
        Context context = Context.current();
        context.addListener(gone, Runnable::run);
        try {
            waiting.get(millis, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            // The answer says that it is not done.
        } catch (CancellationException e) {
            throw Rejection.of(Code.CANCELLED, "CALL_ENDED", "the caller left", Map.of());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw Rejection.of(Code.UNAVAILABLE, "SHUTTING_DOWN", "the server stops", Map.of());
        } catch (ExecutionException e) {
            throw new IllegalStateException("operations end with an outcome", e);
        } finally {
            context.removeListener(gone);
        }
        return operation.toProto();
    }

    private Empty delete(DeleteOperationRequest request) {
        if (!operations.forget(request.getName())) {
            throw unknown(request.getName());
        }
        return Empty.getDefaultInstance();
    }

    private Empty cancel(CancelOperationRequest request) {
        find(request.getName()).requestCancel();
        return Empty.getDefaultInstance();
    }

    private StoredOperation find(String name) {
        StoredOperation operation = operations.find(name);
        if (operation == null) {
            throw unknown(name);
        }
        return operation;
    }

    private static Rejection unknown(String name) {
        if (!name.startsWith(OperationStore.PREFIX)) {
            return Rejection.invalid("name", "must be operations/ and an id");
        }
        return Rejection.notFound("google.longrunning.Operation", name);
    }
}
