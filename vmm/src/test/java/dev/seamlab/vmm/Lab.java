// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.guest.Workload;
import dev.seamlab.host.HostPolicy;
import dev.seamlab.host.Preset;
import dev.seamlab.host.kernel.KernelLog;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.KeyIdPartition;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.machine.profile.NumaNode;
import dev.seamlab.seam.SeamcallListener;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Predicate;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Hosts for one test. After the test, passed or not, each host is audited, emptied, audited again
 * and compared with what it was at its start: the test's author cannot forget it.
 */
public final class Lab implements AfterEachCallback {
    /** Enough for any workload here on a busy machine; only reached when something hangs. */
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    /** Guest RAM that holds the embedded firmware's sections with room to spare. */
    public static final long MEMORY = 32L << 20;

    private final Map<Vmm, HostMemory> started = new LinkedHashMap<>();
    private boolean quiet = true;

    /** A small host: two packages, four CPUs, 1.5 GiB on two nodes, few KeyIDs. */
    public static MachineProfile smallHost() {
        List<AddressRange> first = List.of(new AddressRange(1L << 20, 1L << 30));
        List<AddressRange> second = List.of(new AddressRange(4L << 30, (4L << 30) + (512L << 20)));
        return new MachineProfile(
                "small",
                "for tests",
                2,
                2,
                46,
                new KeyIdPartition(6, 15, 16),
                List.of(new NumaNode(first), new NumaNode(second)),
                List.of(first.getFirst(), second.getFirst()),
                ModuleProfile.V1_5_25,
                true);
    }

    /** Starts a host with the variants of a preset. */
    public Vmm host(Preset preset) {
        return host(smallHost(), preset);
    }

    /** Starts a host. */
    public Vmm host(MachineProfile profile, Preset preset) {
        return host(profile, preset.policy());
    }

    /** Starts a host with variants that no preset combines. */
    public Vmm host(MachineProfile profile, HostPolicy policy) {
        Vmm vmm =
                Vmm.start(new VmmOptions(profile, policy, KernelLog.SILENT, SeamcallListener.NONE))
                        .orThrow();
        started.put(vmm, vmm.memory());
        return vmm;
    }

    /** A specification for most tests. */
    public static TrustDomainSpec spec(String id, int vcpus, String program) {
        return TrustDomainSpec.of(id, MEMORY, vcpus, Workload.parse(program));
    }

    /** Creates and starts a TD. */
    public static TrustDomain boot(Vmm vmm, TrustDomainSpec spec) {
        TrustDomain td = vmm.create(spec).orThrow();
        vmm.start(spec.id()).orThrow();
        return td;
    }

    /** Waits for a snapshot; fails if it does not come. */
    public static TdSnapshot await(TrustDomain td, Predicate<TdSnapshot> wanted) {
        try (TdSubscription stream = td.subscribe(0)) {
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (System.nanoTime() < deadline) {
                Optional<TdSnapshot> next = stream.next(Duration.ofMillis(100));
                if (next.isPresent() && wanted.test(next.get())) {
                    return next.get();
                }
            }
        }
        throw new AssertionError("still waiting; the TD is " + td.snapshot());
    }

    /** Waits until every vCPU's program has ended. */
    public static TdSnapshot awaitFinished(TrustDomain td) {
        return await(td, now -> now.progress().finishedVcpus() == td.spec().vcpus());
    }

    /** The refusal of an outcome that must be one. */
    public static Refusal refusal(Outcome<?> outcome) {
        assertThat(outcome).isInstanceOf(Outcome.Refused.class);
        return ((Outcome.Refused<?>) outcome).refusal();
    }

    /** The test leaves vCPUs running, which an audit could meet in the middle of something. */
    public void leavesVcpusRunning() {
        quiet = false;
    }

    @Override
    public void afterEach(ExtensionContext context) {
        started.forEach((vmm, before) -> {
            if (quiet) {
                assertThat(vmm.audit()).as("audit at the end of the test").isEmpty();
            }
            vmm.close();
            assertThat(vmm.list()).isEmpty();
            assertThat(vmm.memory()).as("every figure as at the start").isEqualTo(before);
            assertThat(vmm.audit()).as("audit of the emptied host").isEmpty();
            assertThat(vmm.host().machine().memory().writtenPages())
                    .as("page contents that the emulator still stores")
                    .isLessThanOrEqualTo(64);
        });
    }
}
