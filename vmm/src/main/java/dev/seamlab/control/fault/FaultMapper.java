// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.fault;

import com.google.protobuf.util.Durations;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.control.call.TrustDomainName;
import dev.seamlab.explain.LeafGuide;
import dev.seamlab.explain.StatusGuide;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.v1.AllocationSite;
import dev.seamlab.v1.Fault;
import dev.seamlab.v1.ListAllocationSitesResponse;
import dev.seamlab.vmm.fault.FaultRule;
import java.time.Duration;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.OptionalInt;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** From the faults that clients describe to rules. */
final class FaultMapper {
    /** All sites. */
    private static final String ANY_SITE = "*";

    /** Bits 63 and 62: an error, or a TD or vCPU that cannot go on. Without both a call worked. */
    private static final long FAILED = 3L << 62;

    /** Uses that pages get without being allocated. */
    private static final List<PageUse> NEVER_ALLOCATED = List.of(PageUse.RESIDENT, PageUse.LEAKED);

    private FaultMapper() {}

    /**
     * @param cpus CPUs of the host
     * @throws Rejection INVALID_ARGUMENT that names the field
     */
    static FaultRule toRule(Fault fault, int cpus) {
        FaultRule.Target target = target(fault);
        OptionalLong status = status(fault);
        Duration delay =
                Duration.ofSeconds(fault.getDelay().getSeconds(), fault.getDelay().getNanos());
        boolean ofLeaf = target instanceof FaultRule.OfLeaf;
        if (ofLeaf && status.isEmpty() && delay.isZero()) {
            throw Rejection.invalid(
                    "fault.status", "is empty, and there is no delay: the fault would do nothing");
        }
        if (!ofLeaf && status.isPresent()) {
            throw Rejection.invalid(
                    "fault.status", "is for a leaf; an allocation only finds no memory");
        }
        return new FaultRule(
                target, trigger(fault), times(fault), status, delay, scope(fault, cpus));
    }

    /** What was asked for as answers show it: with the leaf as the specification writes it. */
    static Fault normal(Fault fault, FaultRule rule) {
        Fault.Builder shown =
                fault.toBuilder()
                        .clearName()
                        .clearMatches()
                        .clearHits()
                        .clearSpent()
                        .clearCreateTime();
        if (rule.target() instanceof FaultRule.OfLeaf(Leaf leaf)) {
            shown.setLeaf(leaf.abiName());
        }
        if (Durations.toNanos(shown.getDelay()) == 0) {
            shown.clearDelay();
        }
        return shown.build();
    }

    static ListAllocationSitesResponse sites() {
        return ListAllocationSitesResponse.newBuilder()
                .addAllSites(
                        Arrays.stream(PageUse.values())
                                .filter(use -> !NEVER_ALLOCATED.contains(use))
                                .sorted(Comparator.comparing(PageUse::site))
                                .map(use ->
                                        AllocationSite.newBuilder()
                                                .setName(use.site())
                                                .setDescription(use.description())
                                                .build())
                                .toList())
                .build();
    }

    private static FaultRule.Target target(Fault fault) {
        return switch (fault.getTargetCase()) {
            case LEAF ->
                    new FaultRule.OfLeaf(
                            LeafGuide.named(fault.getLeaf())
                                    .orElseThrow(() ->
                                            Rejection.invalid(
                                                    "fault.leaf",
                                                    "there is no \""
                                                            + fault.getLeaf()
                                                            + "\": write it as TDH.MEM.PAGE.AUG;"
                                                            + " ListLeaves has all of them")));
            case ALLOCATION_SITE -> new FaultRule.OfAllocation(use(fault.getAllocationSite()));
            case TARGET_NOT_SET -> throw Rejection.invalid("fault", "set leaf or allocation_site");
        };
    }

    private static @Nullable PageUse use(String site) {
        if (site.equals(ANY_SITE)) {
            return null;
        }
        return Arrays.stream(PageUse.values())
                .filter(use -> !NEVER_ALLOCATED.contains(use) && use.site().equals(site))
                .findFirst()
                .orElseThrow(() ->
                        Rejection.invalid(
                                "fault.allocation_site",
                                "nothing is allocated at \""
                                        + site
                                        + "\": ListAllocationSites has the names; * is all"));
    }

    private static FaultRule.Trigger trigger(Fault fault) {
        return switch (fault.getTriggerCase()) {
            case NTH -> new FaultRule.From(fault.getNth());
            case PROBABILITY -> new FaultRule.Randomly(fault.getProbability(), fault.getSeed());
            case TRIGGER_NOT_SET -> throw Rejection.invalid("fault", "set nth or probability");
        };
    }

    private static long times(Fault fault) {
        if (fault.getTimes() > 0) {
            return fault.getTimes();
        }
        return fault.hasNth() ? 1 : FaultRule.WITHOUT_END;
    }

    private static OptionalLong status(Fault fault) {
        if (fault.getStatus().isEmpty()) {
            return OptionalLong.empty();
        }
        long word =
                StatusGuide.parse(fault.getStatus())
                        .orElseThrow(() ->
                                Rejection.invalid(
                                        "fault.status",
                                        "\""
                                                + fault.getStatus()
                                                + "\" is no status: write 64 bits as 0x..., or a name"
                                                + " such as OPERAND_BUSY|SEPT_TREE"));
        if ((word & FAILED) == 0) {
            throw Rejection.invalid(
                    "fault.status",
                    "says that the call worked, but it is not executed: take one that is an error");
        }
        return OptionalLong.of(word);
    }

    private static FaultRule.Scope scope(Fault fault, int cpus) {
        if (fault.hasCpu() && fault.getCpu() >= cpus) {
            throw Rejection.invalid("fault.cpu", "the host has the CPUs 0 to " + (cpus - 1));
        }
        return new FaultRule.Scope(
                fault.getTrustDomain().isEmpty()
                        ? null
                        : TrustDomainName.id(fault.getTrustDomain()),
                fault.hasCpu() ? OptionalInt.of(fault.getCpu()) : OptionalInt.empty());
    }
}
