// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.vmm.fault.HostFaults;
import dev.seamlab.vmm.step.StepwiseVms;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * The VMM of one host: builds, runs and destroys its trust domains. Safe for any thread. Actions on
 * one TD exclude each other; different TDs go on in parallel.
 *
 * <p>Every method that can be refused answers an {@link Outcome}; exceptions mean a defect here.
 */
public interface Vmm extends AutoCloseable {
    /**
     * Starts a host: loads the module into the machine, brings it up, builds TDMRs and PAMT.
     *
     * @return the refusal of the step that failed, where the machine cannot host TDs
     */
    static Outcome<Vmm> start(VmmOptions options) {
        return HostVmm.start(options);
    }

    /** What it was started with. */
    VmmOptions options();

    /** Whether the module runs with Dynamic PAMT; false also where it was asked for in vain. */
    boolean dynamicPamtEnabled();

    /** The host below; for reading its figures, never for doing things past this VMM. */
    TdxHost host();

    /**
     * The machine below, for SEAMCALLs past this VMM and its bookkeeping. Whoever uses it can break
     * the host.
     */
    RawMachine raw();

    /** Virtual machines that are driven ioctl by ioctl, beside the trust domains. */
    StepwiseVms stepwise();

    /** The faults that this host is to meet. */
    HostFaults faults();

    /** What is wrong with a specification on this host; empty where nothing is. Touches nothing. */
    List<Violation> validate(TrustDomainSpec spec);

    /**
     * Builds a trust domain up to READY: control structures, vCPUs, initial memory, finalisation.
     * On refusal everything that was built is gone again, and the id is free.
     *
     * @param cancelled asked between steps and pages; true abandons the build
     */
    Outcome<TrustDomain> create(TrustDomainSpec spec, BooleanSupplier cancelled);

    /** Builds a trust domain up to READY, come what may. */
    default Outcome<TrustDomain> create(TrustDomainSpec spec) {
        return create(spec, () -> false);
    }

    /** The trust domain with this id. */
    Outcome<TrustDomain> get(String id);

    /** All trust domains, by id. */
    List<TrustDomain> list();

    /** Starts the vCPUs. */
    Outcome<TrustDomain> start(String id);

    /** Takes the vCPUs out of the guest; they keep their state. */
    Outcome<TrustDomain> pause(String id);

    /** Lets paused vCPUs go on. */
    Outcome<TrustDomain> resume(String id);

    /** Ends the vCPUs. Returns when none runs any more; the TD keeps its memory until deleted. */
    Outcome<TrustDomain> stop(String id);

    /**
     * Ends a trust domain for good: its KVM machine is dead and its vCPUs are thrown out. Returns
     * when none runs any more; the TD keeps its memory until deleted.
     */
    Outcome<TrustDomain> kill(String id);

    /**
     * Releases the KeyID of a trust domain before it is deleted (KVM_TDX_TERMINATE_VM). Nothing
     * runs afterwards: it is STOPPED, and its pages are reclaimed by the delete.
     */
    Outcome<TrustDomain> terminate(String id);

    /** The vCPUs of a trust domain, by index; none before it is built. */
    Outcome<List<VcpuSnapshot>> vcpus(String id);

    /**
     * Takes a vCPU of a trust domain that is READY or PAUSED into the caller's hand. Until that is
     * closed the trust domain cannot be started.
     */
    Outcome<DrivenVcpu> drive(String id, int vcpu);

    /**
     * Tears a trust domain down in the real order and gives every page and the KeyID back.
     *
     * @return the last snapshot of the TD
     */
    default Outcome<TdSnapshot> delete(String id) {
        return delete(id, pagesLeft -> true);
    }

    /**
     * As {@link #delete(String)}, piece by piece.
     *
     * @param watch may stop it after any piece: the trust domain is STOPPED then, without a KeyID,
     *     and another delete goes on there
     */
    Outcome<TdSnapshot> delete(String id, DeleteWatch watch);

    /** Who had to wait on this host and for what, over all TDs that it has and had. */
    Contention contention();

    /** PAMT of the host. */
    PamtView pamt();

    /** Guest memory of the trust domains. */
    GuestRam ram();

    /** From now on tells somebody of what happens to trust domains. */
    void addListener(TdListener listener);

    /** The memory story of the host. */
    HostMemory memory();

    /**
     * Recomputes every invariant of host and KVM from ground truth. The list is empty, always:
     * while it works, vCPUs are kept out of their guests, and steps of VMs wait before they begin,
     * or are waited for. Trust domains that run go on afterwards and notice nothing.
     */
    List<Finding> audit();

    /** Stops and deletes every trust domain. */
    @Override
    void close();
}
