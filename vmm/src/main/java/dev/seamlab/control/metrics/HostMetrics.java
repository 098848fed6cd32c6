// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.metrics;

import dev.seamlab.control.host.HostLifecycle;
import dev.seamlab.control.host.SeamcallCounters;
import dev.seamlab.control.td.FaultTotals;
import dev.seamlab.host.HostMemoryReport;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.vmm.TdState;
import dev.seamlab.vmm.TrustDomain;
import dev.seamlab.vmm.Vmm;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import jakarta.inject.Singleton;
import java.util.Locale;
import java.util.function.ToLongFunction;

/**
 * What /q/metrics shows. Every meter reads a figure that is kept anyway, when somebody scrapes: the
 * paths that are counted do nothing for it.
 */
@Singleton
@Startup
final class HostMetrics {
    private final MeterRegistry registry;
    private final Vmm vmm;

    HostMetrics(
            MeterRegistry registry,
            HostLifecycle host,
            Vmm vmm,
            SeamcallCounters seamcalls,
            FaultTotals faults) {
        this.registry = registry;
        this.vmm = vmm;
        pamt();
        keyIds();
        trustDomains();
        faults(faults);
        Gauge.builder("seamlab.audit.findings", host, HostLifecycle::lastFindings)
                .description("Findings of the last audit")
                .register(registry);
        seamcalls.onKind(kind -> seamcall(seamcalls, kind));
    }

    private void seamcall(SeamcallCounters counters, long kind) {
        int number = SeamcallCounters.leaf(kind);
        Leaf leaf = Leaf.of(number);
        StatusCode status = StatusCode.of(SeamcallCounters.status(kind));
        FunctionCounter.builder("seamlab.seamcalls", counters, c -> c.count(kind))
                .description("Completed SEAMCALLs by leaf and completion status")
                .tag(
                        "leaf",
                        leaf != null
                                ? leaf.abiName()
                                : number == SeamcallCounters.OTHER ? "other" : "unknown " + number)
                .tag(
                        "status",
                        status != null
                                ? status.name()
                                : String.format("0x%016x", SeamcallCounters.status(kind)))
                .register(registry);
    }

    private void pamt() {
        pamt("1g", "static", HostMemoryReport::pamt1gBytes);
        pamt("2m", "static", HostMemoryReport::pamt2mBytes);
        pamt("4k", "static", HostMemoryReport::pamt4kBytes);
        pamt("bitmap", "static", HostMemoryReport::pamtBitmapBytes);
        cause("control", v -> v.memory().pamt().controlBytes());
        cause("sept", v -> v.memory().pamt().septBytes());
        cause("guest", v -> v.memory().pamt().guestBytes());
        bytes("seamlab.refcount", "Refcounts of 2M ranges", HostMemoryReport::refcountBytes);
        bytes(
                "seamlab.pamt.static.equivalent",
                "What static PAMT would cost",
                HostMemoryReport::staticPamtWouldBe);
        bytes("seamlab.memory.free", "Free host memory", HostMemoryReport::freeBytes);
        bytes("seamlab.memory.total", "Host memory", HostMemoryReport::memoryBytes);
    }

    private void pamt(String level, String kind, ToLongFunction<HostMemoryReport> figure) {
        Gauge.builder(
                        "seamlab.pamt",
                        vmm,
                        v -> (double) figure.applyAsLong(v.host().memoryReport()))
                .description("PAMT in host memory, by level or cause")
                .baseUnit("bytes")
                .tag("kind", kind)
                .tag("part", level)
                .register(registry);
    }

    private void cause(String cause, ToLongFunction<Vmm> figure) {
        Gauge.builder("seamlab.pamt", vmm, v -> (double) figure.applyAsLong(v))
                .description("PAMT in host memory, by level or cause")
                .baseUnit("bytes")
                .tag("kind", "dynamic")
                .tag("part", cause)
                .register(registry);
    }

    private void bytes(String name, String text, ToLongFunction<HostMemoryReport> figure) {
        Gauge.builder(name, vmm, v -> (double) figure.applyAsLong(v.host().memoryReport()))
                .description(text)
                .baseUnit("bytes")
                .register(registry);
    }

    private void keyIds() {
        Gauge.builder("seamlab.keyids", vmm, v -> v.memory().guestKeyIdsInUse())
                .description("Private KeyIDs for guests")
                .tag("state", "used")
                .register(registry);
        Gauge.builder(
                        "seamlab.keyids",
                        vmm,
                        v -> v.memory().guestKeyIds() - v.memory().guestKeyIdsInUse())
                .description("Private KeyIDs for guests")
                .tag("state", "free")
                .register(registry);
    }

    private void trustDomains() {
        for (TdState state : TdState.values()) {
            Gauge.builder(
                            "seamlab.trust.domains",
                            vmm,
                            v -> v.list().stream().filter(td -> td.state() == state).count())
                    .description("Trust domains by state")
                    .tag("state", state.name().toLowerCase(Locale.ROOT))
                    .register(registry);
        }
        Gauge.builder(
                        "seamlab.pool.pages",
                        vmm,
                        v ->
                                v.list().stream()
                                        .map(TrustDomain::memory)
                                        .mapToLong(m -> m.poolPages())
                                        .sum())
                .description("Pages that wait in the fault pools of all vCPUs")
                .register(registry);
    }

    private void faults(FaultTotals totals) {
        for (String kind : new String[] {"private", "shared"}) {
            FunctionCounter.builder("seamlab.faults", totals, t -> t.total(kind))
                    .description("EPT violations that the host served")
                    .tag("kind", kind)
                    .register(registry);
        }
        FunctionCounter.builder("seamlab.td.exits", totals, t -> t.total("exits"))
                .description("Times a vCPU left the guest")
                .register(registry);
        FunctionCounter.builder("seamlab.converted.pages", totals, t -> t.total("conversions"))
                .description("4K pages converted between private and shared")
                .register(registry);
    }
}
