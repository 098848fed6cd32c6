// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import dev.seamlab.control.call.Limits;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.vmm.TrustDomain;
import dev.seamlab.vmm.Vmm;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * How many trust domains and vCPUs there may be. What exists is in the VMM's list; what was
 * accepted and is not there yet is noted here, so that requests at the same time cannot pass the
 * limit together.
 */
@Singleton
final class Places {
    private final Vmm vmm;
    private final int maxTrustDomains;
    private final int maxVcpus;
    private final Map<String, Integer> accepted = new HashMap<>(); // guarded by this

    @Inject
    Places(Vmm vmm, Limits limits) {
        this.vmm = vmm;
        this.maxTrustDomains = limits.trustDomains();
        this.maxVcpus = limits.vcpus();
    }

    /**
     * Takes a place for a trust domain that is going to be built.
     *
     * @throws Rejection RESOURCE_EXHAUSTED where a limit is reached
     */
    synchronized void take(String id, int vcpus) {
        int trustDomains = accepted.size();
        int sum = accepted.values().stream().mapToInt(Integer::intValue).sum();
        List<TrustDomain> present = vmm.list();
        for (TrustDomain td : present) {
            if (!accepted.containsKey(td.id())) {
                trustDomains++;
                sum += td.spec().vcpus();
            }
        }
        if (trustDomains >= maxTrustDomains) {
            throw Rejection.exhausted(
                    "TOO_MANY_TRUST_DOMAINS",
                    "trustDomains",
                    "this server takes "
                            + maxTrustDomains
                            + " trust domains: delete one and try again");
        }
        if (sum + vcpus > maxVcpus) {
            throw Rejection.exhausted(
                    "TOO_MANY_VCPUS",
                    "vcpus",
                    "this server takes "
                            + maxVcpus
                            + " vCPUs in all, and "
                            + sum
                            + " are taken: ask for fewer, or delete a trust domain");
        }
        accepted.put(id, vcpus);
    }

    /**
     * The trust domain is in the VMM's list now, or will never be; nothing where it had no place.
     */
    synchronized void release(String id) {
        accepted.remove(id);
    }
}
