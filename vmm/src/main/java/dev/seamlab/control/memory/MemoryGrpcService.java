// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.memory;

import com.google.protobuf.ByteString;
import dev.seamlab.control.call.Calls;
import dev.seamlab.control.call.ErrorMapper;
import dev.seamlab.control.call.PageToken;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.control.call.TrustDomainName;
import dev.seamlab.machine.Addresses;
import dev.seamlab.v1.ConvertMemoryRequest;
import dev.seamlab.v1.ConvertMemoryResponse;
import dev.seamlab.v1.GetPageInfoRequest;
import dev.seamlab.v1.ListMappingsRequest;
import dev.seamlab.v1.ListMappingsResponse;
import dev.seamlab.v1.MemoryAttribute;
import dev.seamlab.v1.MemoryGrpc;
import dev.seamlab.v1.PageInfo;
import dev.seamlab.v1.PreFaultMemoryRequest;
import dev.seamlab.v1.PreFaultMemoryResponse;
import dev.seamlab.v1.PunchHoleRequest;
import dev.seamlab.v1.PunchHoleResponse;
import dev.seamlab.v1.ReadGuestMemoryRequest;
import dev.seamlab.v1.ReadGuestMemoryResponse;
import dev.seamlab.v1.WriteGuestMemoryRequest;
import dev.seamlab.v1.WriteGuestMemoryResponse;
import dev.seamlab.vmm.GuestRam;
import dev.seamlab.vmm.Outcome;
import dev.seamlab.vmm.Vmm;
import io.grpc.Context;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import io.smallrye.common.annotation.RunOnVirtualThread;
import java.util.function.BooleanSupplier;

/** Guest memory, over gRPC. */
@GrpcService
@RunOnVirtualThread
public class MemoryGrpcService extends MemoryGrpc.MemoryImplBase {
    private static final int DEFAULT_PAGE = 1000;
    private static final PageToken TOKENS = PageToken.of("ListMappings");

    private final Calls calls;
    private final Vmm vmm;
    private final ErrorMapper errors;

    MemoryGrpcService(Calls calls, Vmm vmm, ErrorMapper errors) {
        this.calls = calls;
        this.vmm = vmm;
        this.errors = errors;
    }

    @Override
    public void convertMemory(
            ConvertMemoryRequest request, StreamObserver<ConvertMemoryResponse> out) {
        calls.unary(request, out, this::convert);
    }

    @Override
    public void preFaultMemory(
            PreFaultMemoryRequest request, StreamObserver<PreFaultMemoryResponse> out) {
        calls.unary(request, out, this::preFault);
    }

    @Override
    public void punchHole(PunchHoleRequest request, StreamObserver<PunchHoleResponse> out) {
        calls.unary(request, out, this::punch);
    }

    @Override
    public void listMappings(
            ListMappingsRequest request, StreamObserver<ListMappingsResponse> out) {
        calls.unary(request, out, this::mappings);
    }

    @Override
    public void getPageInfo(GetPageInfoRequest request, StreamObserver<PageInfo> out) {
        calls.unary(request, out, this::page);
    }

    @Override
    public void readGuestMemory(
            ReadGuestMemoryRequest request, StreamObserver<ReadGuestMemoryResponse> out) {
        calls.unary(request, out, this::read);
    }

    @Override
    public void writeGuestMemory(
            WriteGuestMemoryRequest request, StreamObserver<WriteGuestMemoryResponse> out) {
        calls.unary(request, out, this::write);
    }

    private ConvertMemoryResponse convert(ConvertMemoryRequest request) {
        boolean toPrivate = request.getAttribute() == MemoryAttribute.MEMORY_ATTRIBUTE_PRIVATE;
        Outcome<Long> removed =
                vmm.ram()
                        .convert(
                                id(request.getName()),
                                request.getGpa(),
                                request.getSizeBytes(),
                                toPrivate);
        return ConvertMemoryResponse.newBuilder().setRemovedPages(errors.granted(removed)).build();
    }

    private PreFaultMemoryResponse preFault(PreFaultMemoryRequest request) {
        Outcome<Long> mapped =
                vmm.ram()
                        .preFault(
                                id(request.getName()),
                                request.getGpa(),
                                request.getSizeBytes(),
                                hungUp());
        return PreFaultMemoryResponse.newBuilder().setMappedBytes(errors.granted(mapped)).build();
    }

    private PunchHoleResponse punch(PunchHoleRequest request) {
        Outcome<Long> freed =
                vmm.ram().punch(id(request.getName()), request.getGpa(), request.getSizeBytes());
        return PunchHoleResponse.newBuilder().setFreedPages(errors.granted(freed)).build();
    }

    private ListMappingsResponse mappings(ListMappingsRequest request) {
        String parent = request.getParent();
        int size = request.getPageSize() == 0 ? DEFAULT_PAGE : request.getPageSize();
        long from = TOKENS.readNumber(request.getPageToken(), parent).orElse(0);
        GuestRam.Mappings page =
                errors.granted(vmm.ram().mappings(id(parent), from, size, hungUp()));
        ListMappingsResponse.Builder response = ListMappingsResponse.newBuilder();
        page.mappings().stream().map(GuestMemoryMapper::toProto).forEach(response::addMappings);
        page.next().ifPresent(next -> response.setNextPageToken(TOKENS.write(next, parent)));
        return response.build();
    }

    private PageInfo page(GetPageInfoRequest request) {
        if (request.hasGuest()) {
            String id = id(request.getGuest().getTrustDomain());
            return GuestMemoryMapper.toProto(
                    errors.granted(vmm.ram().page(id, request.getGuest().getGpa())));
        }
        if (request.getHpa() >>> Addresses.MAX_PHYSICAL_BITS != 0) {
            throw Rejection.invalid("hpa", "must be below 2 to the " + Addresses.MAX_PHYSICAL_BITS);
        }
        return GuestMemoryMapper.toProto(vmm.ram().page(request.getHpa()));
    }

    private ReadGuestMemoryResponse read(ReadGuestMemoryRequest request) {
        byte[] data =
                errors.granted(
                        vmm.ram()
                                .read(
                                        id(request.getName()),
                                        request.getGpa(),
                                        request.getSizeBytes()));
        return ReadGuestMemoryResponse.newBuilder().setData(ByteString.copyFrom(data)).build();
    }

    private WriteGuestMemoryResponse write(WriteGuestMemoryRequest request) {
        Outcome<Integer> written =
                vmm.ram()
                        .write(
                                id(request.getName()),
                                request.getGpa(),
                                request.getData().toByteArray());
        if (errors.granted(written) != request.getData().size()) {
            throw new AssertionError("a write ended early and was granted");
        }
        return WriteGuestMemoryResponse.getDefaultInstance();
    }

    private static String id(String name) {
        return TrustDomainName.id(name);
    }

    /** Whether the client of this call has gone, or its deadline has passed. */
    private static BooleanSupplier hungUp() {
        Context context = Context.current();
        return context::isCancelled;
    }
}
