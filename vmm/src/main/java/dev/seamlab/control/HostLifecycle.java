// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control;

import dev.seamlab.v1.AuditReport;
import dev.seamlab.vmm.Finding;
import dev.seamlab.vmm.TdState;
import dev.seamlab.vmm.Vmm;
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
class HostLifecycle {
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
    Vmm vmm() {
        return vmm;
    }

    @Produces
    @Singleton
    SeamcallCounters seamcalls() {
        return setup.seamcalls();
    }

    String preset() {
        return setup.preset();
    }

    /** What the host's kernel said while it came up. */
    List<String> bootLog() {
        return setup.bootLog();
    }

    Instant bootTime() {
        return bootTime;
    }

    /** Number of findings of the last audit; 0 before the first. */
    int lastFindings() {
        return lastFindings;
    }

    /**
     * What is wrong on this host. Trust domains that run are held for as long as the audit takes:
     * its questions to the module share locks that a removal wants alone, and the answers are only
     * comparable while nothing moves.
     */
    AuditReport audit() {
        boolean anyMoving = vmm.list().stream().anyMatch(td -> !AT_REST.contains(td.state()));
        List<Finding> findings = vmm.audit();
        lastFindings = findings.size();
        return HostMapper.toProto(findings, anyMoving);
    }

    void stop(@Observes ShutdownEvent event, Watches watches, SeamcallWatches log) {
        if (closed) {
            return;
        }
        closed = true;
        watches.close();
        log.close();
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
