// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.pamt;

import dev.seamlab.control.call.TrustDomainName;
import dev.seamlab.control.host.MemoryMapper;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.v1.NodePamt;
import dev.seamlab.v1.PamtCause;
import dev.seamlab.v1.PamtComparison;
import dev.seamlab.v1.PamtRegion;
import dev.seamlab.v1.PamtStats;
import dev.seamlab.v1.TrustDomainPamt;
import dev.seamlab.vmm.PamtView;
import dev.seamlab.vmm.Vmm;
import org.jspecify.annotations.Nullable;

/** From PAMT to what clients see of it. */
final class PamtMapper {
    private PamtMapper() {}

    /** The figures, with one count of the pairs for all lists, so that they add up. */
    static PamtStats stats(Vmm vmm) {
        PamtView.Figures figures = vmm.pamt().figures();
        PamtStats.Builder proto =
                PamtStats.newBuilder()
                        .setUsage(
                                MemoryMapper.pamt(vmm, vmm.memory()).toBuilder()
                                        .setDynamicBytes(figures.total().totalBytes())
                                        .setDynamicByCause(MemoryMapper.toProto(figures.total()))
                                        .setBackedRanges(figures.ranges()))
                        .setInstalledTotal(figures.installed())
                        .setRemovedTotal(figures.removed());
        for (PamtView.Owner owner : figures.owners()) {
            proto.addTrustDomains(
                    TrustDomainPamt.newBuilder()
                            .setName(name(owner.id()))
                            .setDynamicBytes(owner.share().totalBytes())
                            .setDynamicByCause(MemoryMapper.toProto(owner.share())));
        }
        for (PamtView.Node node : figures.nodes()) {
            proto.addNodes(
                    NodePamt.newBuilder()
                            .setNode(node.node())
                            .setReservedBytes(node.reservedBytes())
                            .setBackedRanges(node.backedRanges()));
        }
        return proto.build();
    }

    static PamtRegion toProto(PamtView.Region region) {
        return PamtRegion.newBuilder()
                .setBaseHpa(region.baseHpa())
                .setBacked(region.isBacked())
                .setRefcount(region.refcount())
                .addAllPairHpas(region.pair())
                .setCause(cause(region.cause()))
                .setTrustDomain(name(region.owner()))
                .setNode(region.node())
                .build();
    }

    static PamtCause cause(@Nullable PageUse use) {
        return switch (use) {
            case CONTROL -> PamtCause.PAMT_CAUSE_CONTROL;
            case SEPT -> PamtCause.PAMT_CAUSE_SEPT;
            case GUEST_PRIVATE -> PamtCause.PAMT_CAUSE_GUEST;
            case null, default -> PamtCause.PAMT_CAUSE_UNSPECIFIED;
        };
    }

    static PamtComparison toProto(PamtView.Comparison comparison) {
        return PamtComparison.newBuilder()
                .setDynamic(comparison.dynamic())
                .setStaticBytes(comparison.staticBytes())
                .setDynamicBytes(comparison.dynamicBytes())
                .setRangesInUse(comparison.rangesInUse())
                .setRangesTotal(comparison.rangesTotal())
                .setBreakEvenRanges(comparison.breakEvenRanges())
                .build();
    }

    private static String name(String id) {
        return id.isEmpty() ? "" : TrustDomainName.of(id);
    }
}
