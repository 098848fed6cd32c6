// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.step;

import dev.seamlab.host.TdxHost;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.kvm.OrdinaryVm;
import dev.seamlab.kvm.PairLedger;
import dev.seamlab.vmm.Outcome;
import dev.seamlab.vmm.Refusal;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.IntSupplier;

/**
 * The virtual machines of a host that are driven ioctl by ioctl. They are no trust domains, and
 * take memory and KeyIDs from the same host. Any thread.
 */
public final class StepwiseVms {
    /** KVM_CAP_MAX_VCPUS of a new machine. */
    public static final int MAX_VCPUS = 64;

    private final TdxHost host;
    private final PairLedger ledger;
    private final IntSupplier owners;
    private final Map<String, StepVm> byId = new ConcurrentHashMap<>();

    /**
     * @param owners numbers for the ledger that nobody else has
     */
    public StepwiseVms(TdxHost host, PairLedger ledger, IntSupplier owners) {
        this.host = host;
        this.ledger = ledger;
        this.owners = owners;
    }

    /** KVM_CREATE_VM. */
    public Outcome<StepVm> create(String id, boolean isTdx) {
        StepVm[] made = new StepVm[1];
        StepVm there =
                byId.computeIfAbsent(
                        id,
                        free -> {
                            made[0] =
                                    isTdx
                                            ? new TdxStepVm(
                                                    id,
                                                    new KvmTdx(
                                                            host,
                                                            ledger,
                                                            owners.getAsInt(),
                                                            MAX_VCPUS))
                                            : new OrdinaryStepVm(
                                                    id, new OrdinaryVm(host, MAX_VCPUS));
                            return made[0];
                        });
        return made[0] == null ? Outcome.refused(new Refusal.VmExists(id)) : Outcome.done(there);
    }

    /** The machine with this id. */
    public Outcome<StepVm> get(String id) {
        StepVm vm = byId.get(id);
        return vm == null ? Outcome.refused(new Refusal.NoVm(id)) : Outcome.done(vm);
    }

    /** All machines, by id. */
    public List<StepVm> list() {
        return byId.values().stream().sorted(Comparator.comparing(StepVm::id)).toList();
    }

    /** Closes a machine: calls on it come back, and everything goes back to the host. */
    public Outcome<StepVm> delete(String id) {
        StepVm vm = byId.get(id);
        if (vm == null) {
            return Outcome.refused(new Refusal.NoVm(id));
        }
        synchronized (vm) {
            if (byId.get(id) != vm) {
                return Outcome.refused(new Refusal.NoVm(id));
            }
            vm.close();
            byId.remove(id, vm);
        }
        return Outcome.done(vm);
    }

    /** Closes all machines. */
    public void close() {
        for (StepVm vm : list()) {
            var _ = delete(vm.id());
        }
    }

    /** For the audit. */
    public List<KvmTdx> tdxVms() {
        return list().stream()
                .filter(TdxStepVm.class::isInstance)
                .map(vm -> ((TdxStepVm) vm).vm())
                .toList();
    }

    /** For the audit. */
    public List<OrdinaryVm> ordinaryVms() {
        return list().stream()
                .filter(OrdinaryStepVm.class::isInstance)
                .map(vm -> ((OrdinaryStepVm) vm).vm())
                .toList();
    }

    /** The id of the machine with a number in the ledger. */
    public Optional<String> idOf(int owner) {
        return list().stream()
                .filter(vm -> vm instanceof TdxStepVm tdx && tdx.vm().owner() == owner)
                .map(StepVm::id)
                .findFirst();
    }
}
