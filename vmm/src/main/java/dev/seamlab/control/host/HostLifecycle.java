// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.host;

import dev.seamlab.control.call.Drain;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.control.call.TrustDomainName;
import dev.seamlab.control.operation.OperationStore;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.v1.AuditReport;
import dev.seamlab.v1.HostCpu;
import dev.seamlab.vmm.Finding;
import dev.seamlab.vmm.TdState;
import dev.seamlab.vmm.Vmm;
import grpc.health.v1.HealthOuterClass.HealthCheckResponse.ServingStatus;
import io.quarkus.grpc.runtime.health.GrpcHealthStorage;
import io.quarkus.runtime.PreventFurtherStepsException;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.Startup;
import jakarta.enterprise.event.Observes;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.time.Instant;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.jboss.logging.Logger;

/** The host of this process: up before the first call, and torn down after the last. */
@Singleton
@Startup
public class HostLifecycle {
    private static final Logger LOG = Logger.getLogger(HostLifecycle.class);

    /** Exit code where the profile or preset is no good. */
    private static final int BAD_INPUT = 2;

    /** States in which nothing of a trust domain changes by itself. */
    private static final Set<TdState> AT_REST =
            EnumSet.of(TdState.READY, TdState.PAUSED, TdState.STOPPED, TdState.FAILED);

    private final HostSetup setup;
    private final Vmm vmm;
    private final Instant bootTime;
    private volatile boolean closed;
    private volatile int lastFindings;

    HostLifecycle(HostSettings settings) {
        try {
            HostSetup prepared = HostSetup.takePrepared();
            setup =
                    prepared != null
                            ? prepared
                            : HostSetup.of(settings.profile(), settings.preset());
            vmm = setup.vmm();
        } catch (BadSettingException e) {
            throw new PreventFurtherStepsException(String.valueOf(e.getMessage()), BAD_INPUT);
        }
        bootTime = Instant.now();
    }

    @Produces
    @Singleton
    public Vmm vmm() {
        return vmm;
    }

    @Produces
    @Singleton
    public SeamcallCounters seamcalls() {
        return setup.seamcalls();
    }

    public String preset() {
        return setup.preset();
    }

    /** What the host's kernel said while it came up. */
    public List<String> bootLog() {
        return setup.bootLog();
    }

    public Instant bootTime() {
        return bootTime;
    }

    /** Number of findings of the last audit; 0 before the first. */
    public int lastFindings() {
        return lastFindings;
    }

    /**
     * What is wrong on a host at rest.
     *
     * <p>Refused while a trust domain runs or changes. The auditor asks the module for metadata
     * page by page, and each question shares locks that PAMT.REMOVE or a zap wants alone: their
     * BUSY would make the host leak a pair or give a trust domain up. What begins during the audit
     * is not held off; the report says that it did.
     */
    public AuditReport audit() {
        List<String> moving = moving();
        if (!moving.isEmpty()) {
            throw Rejection.precondition(
                    "NOT_AT_REST",
                    "host",
                    "an audit needs a host at rest: pause or stop "
                            + String.join(", ", moving)
                            + " first");
        }
        List<Finding> findings = vmm.audit();
        lastFindings = findings.size();
        return HostMapper.toProto(findings, !moving().isEmpty());
    }

    /** Takes a CPU on- or offline, where the kernel would. */
    HostCpu setCpuOnline(int cpu, boolean online) {
        int cpus = vmm.host().cpus().all().size();
        if (cpu >= cpus) {
            throw Rejection.invalid("cpu", "the host has the CPUs 0 to " + (cpus - 1));
        }
        int result = online ? vmm.host().online(cpu) : vmm.host().offline(cpu);
        return switch (result) {
            case Errno.OK -> HostMapper.toProto(vmm.host().cpus().all().get(cpu));
            case Errno.EBUSY ->
                    throw Rejection.precondition(
                            "CPU_NEEDED",
                            "cpu" + cpu,
                            "EBUSY: cpu"
                                    + cpu
                                    + " is the last one online in its package while a trust domain"
                                    + " has a KeyID, or the last one of all: delete the trust"
                                    + " domains, or take another CPU online, first");
            default ->
                    throw Rejection.precondition(
                            "LP_INIT_FAILED",
                            "cpu" + cpu,
                            Errno.name(result)
                                    + ": the TDX module refuses cpu"
                                    + cpu
                                    + "; the boot log has its answer");
        };
    }

    private List<String> moving() {
        return vmm.list().stream()
                .filter(td -> !AT_REST.contains(td.state()))
                .map(td -> TrustDomainName.of(td.id()))
                .toList();
    }

    /**
     * The way out: say so (health is NOT_SERVING, new calls are refused, streams end), let running
     * operations finish or cancel them, tear down what is left, and report.
     */
    void stop(
            @Observes ShutdownEvent event,
            Drain drain,
            GrpcHealthStorage health,
            OperationStore operations,
            ShutdownSettings settings) {
        if (closed) {
            return;
        }
        closed = true;
        health.getStatuses()
                .keySet()
                .forEach(service -> health.setStatus(service, ServingStatus.NOT_SERVING));
        drain.begin();
        OperationStore.Ending ending = operations.drain(settings.grace());
        if (ending.finished() + ending.cancelled() + ending.stuck() > 0) {
            LOG.infof(
                    "Of the operations under way, %d finished, %d were cancelled and %d did not end",
                    ending.finished(), ending.cancelled(), ending.stuck());
        }
        int trustDomains = vmm.list().size();
        vmm.close();
        List<Finding> findings = vmm.audit();
        if (findings.isEmpty()) {
            LOG.infof("Tore down %d trust domains; audit: 0 findings", trustDomains);
        } else {
            LOG.errorf(
                    "Tore down %d trust domains; audit: %d findings: %s",
                    trustDomains, findings.size(), findings);
        }
    }
}
