// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import com.google.longrunning.Operation;
import com.google.protobuf.Empty;
import com.google.protobuf.Message;
import dev.seamlab.control.call.Calls;
import dev.seamlab.control.call.ErrorMapper;
import dev.seamlab.control.call.Places;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.control.call.TrustDomainName;
import dev.seamlab.control.operation.OperationStore;
import dev.seamlab.control.operation.RequestIds;
import dev.seamlab.control.operation.StoredOperation;
import dev.seamlab.v1.CreateTrustDomainRequest;
import dev.seamlab.v1.DeleteTrustDomainRequest;
import dev.seamlab.v1.Firmware;
import dev.seamlab.v1.GetTrustDomainRequest;
import dev.seamlab.v1.InjectNmiRequest;
import dev.seamlab.v1.KillTrustDomainRequest;
import dev.seamlab.v1.ListTrustDomainsRequest;
import dev.seamlab.v1.ListTrustDomainsResponse;
import dev.seamlab.v1.PauseTrustDomainRequest;
import dev.seamlab.v1.ResetTrustDomainRequest;
import dev.seamlab.v1.ResumeTrustDomainRequest;
import dev.seamlab.v1.StartTrustDomainRequest;
import dev.seamlab.v1.StopTrustDomainRequest;
import dev.seamlab.v1.TerminateTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.TrustDomainsGrpc;
import dev.seamlab.v1.UpdateTrustDomainRequest;
import dev.seamlab.v1.WaitTrustDomainRequest;
import dev.seamlab.v1.WaitTrustDomainResponse;
import dev.seamlab.v1.WatchTrustDomainRequest;
import dev.seamlab.v1.WatchTrustDomainResponse;
import dev.seamlab.v1.WatchTrustDomainsRequest;
import dev.seamlab.v1.WatchTrustDomainsResponse;
import dev.seamlab.vmm.Outcome;
import dev.seamlab.vmm.Refusal;
import dev.seamlab.vmm.TdAction;
import dev.seamlab.vmm.TdSnapshot;
import dev.seamlab.vmm.TrustDomainSpec;
import dev.seamlab.vmm.Violation;
import dev.seamlab.vmm.Vmm;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import io.smallrye.common.annotation.RunOnVirtualThread;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Function;

/** The life of trust domains, over gRPC. */
@GrpcService
@RunOnVirtualThread
public class TrustDomainsGrpcService extends TrustDomainsGrpc.TrustDomainsImplBase {
    private final Calls calls;
    private final Vmm vmm;
    private final ErrorMapper errors;
    private final TrustDomainMapper mapper;
    private final Births births;
    private final Places places;
    private final OperationStore operations;
    private final RequestIds requestIds;
    private final Watches watches;
    private final FaultTotals faults;

    TrustDomainsGrpcService(
            Calls calls,
            Vmm vmm,
            ErrorMapper errors,
            TrustDomainMapper mapper,
            Births births,
            Places places,
            OperationStore operations,
            RequestIds requestIds,
            Watches watches,
            FaultTotals faults) {
        this.calls = calls;
        this.vmm = vmm;
        this.errors = errors;
        this.mapper = mapper;
        this.births = births;
        this.places = places;
        this.operations = operations;
        this.requestIds = requestIds;
        this.watches = watches;
        this.faults = faults;
    }

    @Override
    public void createTrustDomain(CreateTrustDomainRequest request, StreamObserver<Operation> out) {
        calls.unary(request, out, r -> requestIds.once(id(r), r, () -> create(r)).toProto());
    }

    @Override
    public void getTrustDomain(GetTrustDomainRequest request, StreamObserver<TrustDomain> out) {
        calls.unary(request, out, r -> mapper.toProto(find(r.getName())));
    }

    @Override
    public void listTrustDomains(
            ListTrustDomainsRequest request, StreamObserver<ListTrustDomainsResponse> out) {
        calls.unary(request, out, r -> TrustDomainPages.page(vmm.list(), r, births, mapper));
    }

    @Override
    public void updateTrustDomain(
            UpdateTrustDomainRequest request, StreamObserver<TrustDomain> out) {
        calls.unary(request, out, this::update);
    }

    @Override
    public void startTrustDomain(StartTrustDomainRequest request, StreamObserver<TrustDomain> out) {
        calls.unary(request, out, r -> change(r.getName(), vmm::start));
    }

    @Override
    public void pauseTrustDomain(PauseTrustDomainRequest request, StreamObserver<TrustDomain> out) {
        calls.unary(request, out, r -> change(r.getName(), vmm::pause));
    }

    @Override
    public void resumeTrustDomain(
            ResumeTrustDomainRequest request, StreamObserver<TrustDomain> out) {
        calls.unary(request, out, r -> change(r.getName(), vmm::resume));
    }

    @Override
    public void stopTrustDomain(StopTrustDomainRequest request, StreamObserver<TrustDomain> out) {
        calls.unary(request, out, r -> change(r.getName(), vmm::stop));
    }

    @Override
    public void killTrustDomain(KillTrustDomainRequest request, StreamObserver<TrustDomain> out) {
        calls.unary(request, out, r -> change(r.getName(), vmm::kill));
    }

    @Override
    public void terminateTrustDomain(
            TerminateTrustDomainRequest request, StreamObserver<TrustDomain> out) {
        calls.unary(request, out, r -> change(r.getName(), vmm::terminate));
    }

    @Override
    public void waitTrustDomain(
            WaitTrustDomainRequest request, StreamObserver<WaitTrustDomainResponse> out) {
        calls.unary(request, out, r -> watches.await(find(r.getName()), r));
    }

    @Override
    public void resetTrustDomain(ResetTrustDomainRequest request, StreamObserver<TrustDomain> out) {
        calls.unary(
                request,
                out,
                r -> {
                    throw notAllowedByTdx(
                            r.getName(),
                            "a TD cannot be reset in place, because its initial memory is measured"
                                    + " once: stop it, delete it and create it again");
                });
    }

    @Override
    public void injectNmi(InjectNmiRequest request, StreamObserver<TrustDomain> out) {
        calls.unary(
                request,
                out,
                r -> {
                    throw notAllowedByTdx(
                            r.getName(),
                            "user space cannot inject an NMI into a TD: only the TDX module may,"
                                    + " when KVM asks it to");
                });
    }

    @Override
    public void deleteTrustDomain(DeleteTrustDomainRequest request, StreamObserver<Operation> out) {
        calls.unary(request, out, r -> requestIds.once(id(r), r, () -> delete(r)).toProto());
    }

    @Override
    public void watchTrustDomain(
            WatchTrustDomainRequest request, StreamObserver<WatchTrustDomainResponse> out) {
        calls.streaming(request, out, r -> watches.one(find(r.getName()), r.getResumeToken(), out));
    }

    @Override
    public void watchTrustDomains(
            WatchTrustDomainsRequest request, StreamObserver<WatchTrustDomainsResponse> out) {
        calls.streaming(request, out, r -> watches.all(out));
    }

    /** A request that only validates uses no id up: what it checked is sent with it next. */
    private static String id(CreateTrustDomainRequest request) {
        return request.getValidateOnly() ? "" : request.getRequestId();
    }

    private static String id(DeleteTrustDomainRequest request) {
        return request.getValidateOnly() ? "" : request.getRequestId();
    }

    private StoredOperation create(CreateTrustDomainRequest request) {
        String id = request.getTrustDomainId().isEmpty() ? anyId() : request.getTrustDomainId();
        String name = TrustDomainName.of(id);
        TrustDomainSpec spec = SpecMapper.toSpec(id, request.getTrustDomain());
        List<Violation> violations = vmm.validate(spec);
        if (!violations.isEmpty()) {
            throw errors.invalidSpec(violations);
        }
        Firmware firmware = SpecMapper.describe(spec.firmware(), request.getTrustDomain());
        if (request.getValidateOnly()) {
            if (vmm.get(id) instanceof Outcome.Done) {
                throw Rejection.alreadyExists(TrustDomainName.TYPE, name);
            }
            return operations.done(
                    "create",
                    name,
                    Notes.of(request.getTrustDomain())
                            .into(SpecMapper.toProto(spec))
                            .setName(name)
                            .setFirmware(firmware)
                            .build());
        }
        births.note(id, firmware, Notes.of(request.getTrustDomain()));
        try {
            places.take(id, spec.vcpus());
            return operations.start(
                    "create", name, operation -> build(spec, request.getStart(), operation));
        } catch (Rejection tooMany) {
            places.release(id);
            births.forget(id);
            throw tooMany;
        }
    }

    private Message build(TrustDomainSpec spec, boolean start, StoredOperation operation) {
        operation.reportStateFrom(() -> state(spec.id()));
        Outcome<dev.seamlab.vmm.TrustDomain> built;
        boolean exists = false;
        try {
            built = vmm.create(spec, operation::isCancelRequested);
            exists = built instanceof Outcome.Done;
        } finally {
            places.release(spec.id()); // from here on the VMM's list has it, or nobody
            if (!exists) {
                births.forget(spec.id());
            }
        }
        dev.seamlab.vmm.TrustDomain td = errors.granted(built);
        return mapper.toProto(start ? errors.granted(vmm.start(td.id())) : td);
    }

    private TrustDomain update(UpdateTrustDomainRequest request) {
        TrustDomain wanted = request.getTrustDomain();
        calls.checkResult(
                GetTrustDomainRequest.newBuilder().setName(wanted.getName()).build(),
                "trust_domain"); // the rule of names, which those of the resource leave open
        dev.seamlab.vmm.TrustDomain td = find(wanted.getName());
        Birth birth = births.of(td.id());
        // One update at a time, or a second one could pass the same etag.
        synchronized (birth) {
            checkEtag(wanted.getEtag(), wanted.getName(), birth, td.snapshot());
            Notes notes = TrustDomainUpdate.apply(birth.notes(), wanted, request.getUpdateMask());
            TrustDomain changed = notes.into(mapper.toProto(td).toBuilder()).build();
            calls.checkResult(changed, "trust_domain");
            if (request.getValidateOnly()) {
                return changed;
            }
            birth.setNotes(notes);
            td.touch();
        }
        return mapper.toProto(td);
    }

    /** What hardware refuses for good, whatever the state; the trust domain must exist, though. */
    private Rejection notAllowedByTdx(String name, String why) {
        return Rejection.precondition(
                "NOT_ALLOWED_BY_TDX", TrustDomainName.of(find(name).id()), why);
    }

    private static void checkEtag(String etag, String name, Birth birth, TdSnapshot now) {
        if (!etag.isEmpty() && !etag.equals(TrustDomainMapper.version(birth, now))) {
            throw Rejection.aborted(
                    "ETAG_MISMATCH",
                    name,
                    "etag: " + name + " has changed meanwhile: get it again and decide again");
        }
    }

    private StoredOperation delete(DeleteTrustDomainRequest request) {
        String name = request.getName();
        String id = TrustDomainName.id(name);
        Outcome<dev.seamlab.vmm.TrustDomain> found = vmm.get(id);
        if (found instanceof Outcome.Refused<dev.seamlab.vmm.TrustDomain>(Refusal.NotFound none)) {
            if (request.getAllowMissing()) {
                return operations.done("delete", name, Empty.getDefaultInstance());
            }
            throw errors.rejection(none);
        }
        dev.seamlab.vmm.TrustDomain td = errors.granted(found);
        TdSnapshot now = td.snapshot();
        checkEtag(request.getEtag(), name, births.of(id), now);
        if (!TdAction.legalIn(now.state()).contains(TdAction.DELETE)) {
            throw errors.rejection(new Refusal.WrongState(id, TdAction.DELETE, now.state()));
        }
        if (request.getValidateOnly()) {
            return operations.done("delete", name, Empty.getDefaultInstance());
        }
        return operations.start(
                "delete",
                name,
                operation -> {
                    operation.reportStateFrom(() -> state(id));
                    faults.retire(
                            errors.granted(
                                    vmm.delete(
                                            id,
                                            pagesLeft -> {
                                                operation.reportPagesLeft(pagesLeft);
                                                return !operation.isCancelRequested();
                                            })));
                    operation.reportPagesLeft(0);
                    births.forget(id);
                    return Empty.getDefaultInstance();
                });
    }

    private TrustDomain change(
            String name, Function<String, Outcome<dev.seamlab.vmm.TrustDomain>> action) {
        return mapper.toProto(errors.granted(action.apply(TrustDomainName.id(name))));
    }

    private dev.seamlab.vmm.TrustDomain find(String name) {
        return errors.granted(vmm.get(TrustDomainName.id(name)));
    }

    private TrustDomain.State state(String id) {
        return vmm.get(id) instanceof Outcome.Done<dev.seamlab.vmm.TrustDomain>(var td)
                ? TrustDomainMapper.toProto(td.state())
                : TrustDomain.State.STATE_UNSPECIFIED;
    }

    private static String anyId() {
        return String.format("td-%08x", ThreadLocalRandom.current().nextInt());
    }
}
