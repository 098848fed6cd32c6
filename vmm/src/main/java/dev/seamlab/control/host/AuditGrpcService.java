// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.host;

import dev.seamlab.control.call.Calls;
import dev.seamlab.v1.AuditGrpc;
import dev.seamlab.v1.AuditReport;
import dev.seamlab.v1.RunAuditRequest;
import io.grpc.stub.StreamObserver;
import io.quarkus.grpc.GrpcService;
import io.smallrye.common.annotation.RunOnVirtualThread;

/** Whether everything that must hold does, over gRPC. */
@GrpcService
@RunOnVirtualThread
public class AuditGrpcService extends AuditGrpc.AuditImplBase {
    private final Calls calls;
    private final HostLifecycle host;

    AuditGrpcService(Calls calls, HostLifecycle host) {
        this.calls = calls;
        this.host = host;
    }

    @Override
    public void runAudit(RunAuditRequest request, StreamObserver<AuditReport> out) {
        calls.unary(request, out, r -> host.audit());
    }
}
