// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import dev.seamlab.vmm.TrustDomain;
import dev.seamlab.vmm.Vmm;
import dev.seamlab.vmm.step.StepVm;
import dev.seamlab.vmm.step.StepVmView.Region;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/**
 * How many trust domains, virtual machines and vCPUs there may be. What exists is in the VMM's
 * lists; what was accepted and is not there yet is noted here, so that requests at the same time
 * cannot pass a limit together. vCPUs of both kinds of machines share one limit.
 */
@Singleton
public final class Places {
    private final Vmm vmm;
    private final int maxTrustDomains;
    private final int maxVms;
    private final int maxVcpus;
    private final long maxVmMemory;
    private final Map<String, Integer> accepted = new HashMap<>(); // guarded by this
    private final Set<String> acceptedVms = new HashSet<>(); // guarded by this
    private int acceptedVcpus; // guarded by this: of virtual machines
    private long acceptedMemory; // guarded by this: bytes of virtual machines

    @Inject
    Places(Vmm vmm, Limits limits) {
        this.vmm = vmm;
        this.maxTrustDomains = limits.trustDomains();
        this.maxVms = limits.vms();
        this.maxVcpus = limits.vcpus();
        this.maxVmMemory = limits.vmMemory();
    }

    /**
     * Takes a place for a trust domain that is going to be built.
     *
     * @throws Rejection RESOURCE_EXHAUSTED where a limit is reached
     */
    public synchronized void take(String id, int vcpus) {
        int trustDomains = accepted.size();
        for (TrustDomain td : vmm.list()) {
            trustDomains += accepted.containsKey(td.id()) ? 0 : 1;
        }
        if (trustDomains >= maxTrustDomains) {
            throw tooMany(
                    "TOO_MANY_TRUST_DOMAINS", "trustDomains", maxTrustDomains, "trust domain");
        }
        checkVcpus(vcpus);
        accepted.put(id, vcpus);
    }

    /**
     * The trust domain is in the VMM's list now, or will never be; nothing where it had no place.
     */
    public synchronized void release(String id) {
        accepted.remove(id);
    }

    /**
     * Creates a virtual machine, if there is a place for it.
     *
     * @param create puts it into the VMM's list, or not
     * @throws Rejection RESOURCE_EXHAUSTED where the limit is reached
     */
    public <T> T vm(String id, Supplier<T> create) {
        synchronized (this) {
            List<StepVm> present = vmm.stepwise().list();
            long others = present.stream().filter(vm -> !acceptedVms.contains(vm.id())).count();
            if (acceptedVms.size() + others >= maxVms) {
                throw tooMany("TOO_MANY_VMS", "vms", maxVms, "virtual machine");
            }
            acceptedVms.add(id);
        }
        try {
            return create.get();
        } finally {
            synchronized (this) {
                acceptedVms.remove(id);
            }
        }
    }

    /**
     * Creates a vCPU of a virtual machine, if there is a place for it.
     *
     * @param create adds it to its machine, or not
     * @throws Rejection RESOURCE_EXHAUSTED where the limit is reached
     */
    public <T> T vcpu(Supplier<T> create) {
        synchronized (this) {
            checkVcpus(1);
            acceptedVcpus++;
        }
        try {
            return create.get();
        } finally {
            synchronized (this) {
                acceptedVcpus--;
            }
        }
    }

    /**
     * Adds a memory slot to a virtual machine, if there is room for it.
     *
     * @param bytes its size, above 0
     * @param create adds it to its machine, or not
     * @throws Rejection RESOURCE_EXHAUSTED where the limit is reached
     */
    public <T> T memory(long bytes, Supplier<T> create) {
        synchronized (this) {
            long taken = acceptedMemory;
            for (StepVm vm : vmm.stepwise().list()) {
                taken += vm.view().regions().stream().mapToLong(Region::size).sum();
            }
            if (bytes > maxVmMemory - taken) {
                throw Rejection.exhausted(
                        "TOO_MUCH_VM_MEMORY",
                        "vms/memory",
                        "this server takes memory slots of "
                                + maxVmMemory
                                + " bytes in all, and "
                                + taken
                                + " are taken: ask for less, or delete a virtual machine");
            }
            acceptedMemory += bytes;
        }
        try {
            return create.get();
        } finally {
            synchronized (this) {
                acceptedMemory -= bytes;
            }
        }
    }

    private void checkVcpus(int more) {
        int taken = acceptedVcpus + accepted.values().stream().mapToInt(Integer::intValue).sum();
        for (TrustDomain td : vmm.list()) {
            taken += accepted.containsKey(td.id()) ? 0 : td.spec().vcpus();
        }
        for (StepVm vm : vmm.stepwise().list()) {
            taken += vm.view().vcpus();
        }
        if (taken + more > maxVcpus) {
            throw Rejection.exhausted(
                    "TOO_MANY_VCPUS",
                    "vcpus",
                    "this server takes "
                            + maxVcpus
                            + " vCPUs in all, and "
                            + taken
                            + " are taken: ask for fewer, or delete a machine");
        }
    }

    private static Rejection tooMany(String reason, String subject, int limit, String what) {
        return Rejection.exhausted(
                reason,
                subject,
                "this server takes " + limit + " " + what + "s: delete one and try again");
    }
}
