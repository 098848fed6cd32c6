// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.metrics;

import dev.seamlab.seam.abi.Operand;
import dev.seamlab.vmm.Contention;
import dev.seamlab.vmm.Vmm;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.Startup;
import jakarta.inject.Singleton;
import java.util.function.ToLongFunction;

/**
 * Contention on /q/metrics: BUSY by operand, repetitions, and what the pools prepared. Read when
 * somebody scrapes. {@link LockHistograms} has the waits for locks.
 */
@Singleton
@Startup
final class ContentionMetrics {
    /** Operands that the leaves of faults, zaps and entries can find busy. */
    private static final Operand[] CONTENDED = {
        Operand.RCX,
        Operand.RDX,
        Operand.R8,
        Operand.R9,
        Operand.R12,
        Operand.R13,
        Operand.TDR,
        Operand.TDCS,
        Operand.TDVPS,
        Operand.SEPT_TREE,
        Operand.SEPT_ENTRY,
        Operand.TD_EPOCH
    };

    private final MeterRegistry registry;
    private final Vmm vmm;

    ContentionMetrics(MeterRegistry registry, Vmm vmm) {
        this.registry = registry;
        this.vmm = vmm;
        for (Operand operand : CONTENDED) {
            count(
                    "seamlab.busy",
                    "BUSY answers of the module by the operand that was busy",
                    "operand",
                    operand.name(),
                    c -> c.busyByOperand().getOrDefault(operand, 0L));
        }
        retries("fault", Contention::faultRetries);
        retries("zap", Contention::zapRetries);
        retries("entry", Contention::entryRetries);
        highWater("fault", Contention::poolHighWater);
        highWater("tables", Contention::readyHighWater);
        highWater("split", Contention::splitPoolHighWater);
        count(
                "seamlab.pool.fallbacks",
                "Atomic allocations that helped an empty pool out",
                "pool",
                "fault",
                Contention::poolFallbacks);
        prepared("tables", Contention::tablesPrepared);
        unused("pool", Contention::poolUnused);
        unused("tables", Contention::tablesUnused);
        unused("leaves", Contention::leavesUnused);
    }

    private void retries(String what, ToLongFunction<Contention> figure) {
        count("seamlab.retries", "Steps repeated because of contention", "step", what, figure);
    }

    private void prepared(String what, ToLongFunction<Contention> figure) {
        count("seamlab.prepared", "Pages backed before they were needed", "kind", what, figure);
    }

    private void unused(String what, ToLongFunction<Contention> figure) {
        count("seamlab.prepared.unused", "Pages prepared in vain", "kind", what, figure);
    }

    private void highWater(String pool, ToLongFunction<Contention> figure) {
        Gauge.builder(
                        "seamlab.pool.high.water",
                        vmm,
                        v -> (double) figure.applyAsLong(v.contention()))
                .description("Most pages that ever waited in one pool")
                .tag("pool", pool)
                .register(registry);
    }

    private void count(
            String name, String text, String tag, String value, ToLongFunction<Contention> figure) {
        FunctionCounter.builder(name, vmm, v -> (double) figure.applyAsLong(v.contention()))
                .description(text)
                .tag(tag, value)
                .register(registry);
    }
}
