// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.host;

import dev.seamlab.control.call.Drain;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.control.events.EventLog;
import dev.seamlab.control.events.TdEvents;
import dev.seamlab.control.operation.OperationStore;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.v1.AuditReport;
import dev.seamlab.v1.Event;
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

    private final EventLog events;
    private final HostSetup setup;
    private final Vmm vmm;
    private final Instant bootTime;
    private volatile boolean closed;
    private volatile int lastFindings;

    HostLifecycle(HostSettings settings, EventLog events) {
        this.events = events;
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
        setup.follow(line -> events.append(Event.Type.HOST_LOG, "", line));
        vmm.addListener(new TdEvents(events));
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
     * What is wrong on this host. Trust domains that run are held for as long as the audit takes:
     * its questions to the module share locks that a removal wants alone, and the answers are only
     * comparable while nothing moves.
     */
    public AuditReport audit() {
        boolean anyMoving = vmm.list().stream().anyMatch(td -> !AT_REST.contains(td.state()));
        List<Finding> findings = vmm.audit();
        lastFindings = findings.size();
        events.append(Event.Type.AUDIT, "", "audit: " + findings.size() + " findings");
        return HostMapper.toProto(findings, anyMoving);
    }

    /** Takes a CPU on- or offline, where the kernel would. */
    HostCpu setCpuOnline(int cpu, boolean online) {
        int cpus = vmm.host().cpus().all().size();
        if (cpu >= cpus) {
            throw Rejection.invalid("cpu", "the host has the CPUs 0 to " + (cpus - 1));
        }
        boolean before = vmm.host().cpus().all().get(cpu).logical().isOnline();
        int result = online ? vmm.host().online(cpu) : vmm.host().offline(cpu);
        if (result == Errno.OK && before != online) {
            String text = "cpu" + cpu + " is " + (online ? "online" : "offline");
            events.append(Event.Type.CPU, "cpus/" + cpu, text);
        }
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

    /**
     * The way out: say so (health is NOT_SERVING, new calls are refused, streams end), let running
     * operations finish or cancel them, tear down what is left, and report.
     */
    public void stop(
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
