// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import com.google.protobuf.Empty;
import dev.seamlab.control.call.Calls;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.explain.StatusGuide;
import dev.seamlab.v1.CreateSandboxRequest;
import dev.seamlab.v1.DecodeStatusRequest;
import dev.seamlab.v1.DecodedStatus;
import dev.seamlab.v1.DeleteSandboxRequest;
import dev.seamlab.v1.ListLeavesRequest;
import dev.seamlab.v1.ListLeavesResponse;
import dev.seamlab.v1.ListSandboxesRequest;
import dev.seamlab.v1.ListSandboxesResponse;
import dev.seamlab.v1.ReadMemoryRequest;
import dev.seamlab.v1.ReadMemoryResponse;
import dev.seamlab.v1.Sandbox;
import dev.seamlab.v1.SeamcallRequest;
import dev.seamlab.v1.SeamcallResponse;
import dev.seamlab.v1.SeamcallsGrpc;
import dev.seamlab.v1.WatchSeamcallsRequest;
import dev.seamlab.v1.WatchSeamcallsResponse;
import dev.seamlab.v1.WriteMemoryRequest;
import dev.seamlab.v1.WriteMemoryResponse;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import io.smallrye.common.annotation.RunOnVirtualThread;

/** The raw module, over gRPC. */
@GrpcService
@RunOnVirtualThread
public class SeamcallsGrpcService extends SeamcallsGrpc.SeamcallsImplBase {
    private final Calls calls;
    private final Sandboxes sandboxes;
    private final RawCalls rawCalls;
    private final RawMemory memory;
    private final SeamcallWatches watches;

    SeamcallsGrpcService(
            Calls calls,
            Sandboxes sandboxes,
            RawCalls rawCalls,
            RawMemory memory,
            SeamcallWatches watches) {
        this.calls = calls;
        this.sandboxes = sandboxes;
        this.rawCalls = rawCalls;
        this.memory = memory;
        this.watches = watches;
    }

    @Override
    public void call(SeamcallRequest request, StreamObserver<SeamcallResponse> out) {
        calls.unary(request, out, rawCalls::execute);
    }

    @Override
    public StreamObserver<SeamcallRequest> callStream(StreamObserver<SeamcallResponse> out) {
        return calls.each(out, rawCalls::execute);
    }

    @Override
    public void listLeaves(ListLeavesRequest request, StreamObserver<ListLeavesResponse> out) {
        calls.unary(request, out, r -> SeamcallMapper.leaves(sandboxes.find(r.getSandbox()).raw()));
    }

    @Override
    public void decodeStatus(DecodeStatusRequest request, StreamObserver<DecodedStatus> out) {
        calls.unary(request, out, r -> SeamcallMapper.toProto(StatusGuide.get().explain(word(r))));
    }

    @Override
    public void watchSeamcalls(
            WatchSeamcallsRequest request, StreamObserver<WatchSeamcallsResponse> out) {
        calls.streaming(request, out, r -> watches.follow(sandboxes.find(r.getSandbox()), r, out));
    }

    @Override
    public void readMemory(ReadMemoryRequest request, StreamObserver<ReadMemoryResponse> out) {
        calls.unary(
                request, out, r -> ReadMemoryResponse.newBuilder().setData(memory.read(r)).build());
    }

    @Override
    public void writeMemory(WriteMemoryRequest request, StreamObserver<WriteMemoryResponse> out) {
        calls.unary(
                request,
                out,
                r -> {
                    memory.write(r);
                    return WriteMemoryResponse.getDefaultInstance();
                });
    }

    @Override
    public void createSandbox(CreateSandboxRequest request, StreamObserver<Sandbox> out) {
        calls.unary(
                request,
                out,
                r ->
                        SeamcallMapper.toProto(
                                sandboxes.create(r.getSandboxId(), r.getSandbox().getProfile())));
    }

    @Override
    public void listSandboxes(
            ListSandboxesRequest request, StreamObserver<ListSandboxesResponse> out) {
        calls.unary(
                request,
                out,
                r ->
                        ListSandboxesResponse.newBuilder()
                                .addAllSandboxes(
                                        sandboxes.list().stream()
                                                .map(SeamcallMapper::toProto)
                                                .toList())
                                .build());
    }

    @Override
    public void deleteSandbox(DeleteSandboxRequest request, StreamObserver<Empty> out) {
        calls.unary(
                request,
                out,
                r -> {
                    sandboxes.delete(r.getName(), r.getAllowMissing());
                    return Empty.getDefaultInstance();
                });
    }

    private static long word(DecodeStatusRequest request) {
        if (request.hasWord()) {
            return request.getWord();
        }
        return StatusGuide.parse(request.getText())
                .orElseThrow(() ->
                        Rejection.invalid(
                                "text",
                                "\""
                                        + request.getText()
                                        + "\" is no status: give 64 bits as 0x... or decimal, or a name"
                                        + " such as OPERAND_BUSY"));
    }
}
