// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.host.HostAuditor;
import dev.seamlab.host.HostMemoryReport;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.init.TdxInitException;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.KvmAuditor;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.kvm.PairLedger;
import dev.seamlab.machine.Addresses;
import dev.seamlab.vmm.fault.HostFaults;
import dev.seamlab.vmm.step.StepwiseVms;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.function.Predicate;

/** The VMM on an emulated host. */
final class HostVmm implements Vmm {
    private final VmmOptions options;
    private final TdxHost host;
    private final RawMachine raw;
    private final PairLedger ledger;
    private final HostFaults faults;
    private final StepwiseVms stepwise;
    private final Map<String, Td> tds = new ConcurrentHashMap<>();
    private final Object retiring = new Object();
    private Contention retired = Contention.NONE; // guarded by retiring
    private final AtomicInteger owners = new AtomicInteger(PairLedger.NOBODY);
    private final TdListeners listeners = new TdListeners();
    private final HostPamtView pamt;
    private final HostGuestRam ram;

    private HostVmm(VmmOptions options, TdxHost host, RawMachine raw) {
        this.options = options;
        this.host = host;
        this.raw = raw;
        this.ledger = new PairLedger(options.profile().memoryEnd(), options.profile().cpus());
        host.tdh().phymem().setPairListener(ledger);
        this.pamt =
                new HostPamtView(
                        host,
                        ledger,
                        owner -> idWhere(vm -> vm.owner() == owner),
                        () -> tds.values().stream().map(Td::vm).toList());
        this.ram =
                new HostGuestRam(
                        host,
                        id -> with(id, Outcome::done),
                        tdr -> idWhere(vm -> vm.tdrAddress() == tdr),
                        pamt);
        this.stepwise = new StepwiseVms(host, ledger, owners::incrementAndGet);
        this.faults = new HostFaults(raw.machine(), host.pages(), this::worksFor);
    }

    static Outcome<Vmm> start(VmmOptions options) {
        RawMachine on = RawMachine.switchOn(options.profile(), options.seamcalls());
        try {
            TdxHost host = TdxHost.bringUp(on.machine(), options.policy(), options.log());
            return Outcome.done(new HostVmm(options, host, on.sharing(host.cpus())));
        } catch (TdxInitException e) {
            return Outcome.refused(
                    new Refusal.HostError(
                            e.step().title(), e.errnoName(), String.valueOf(e.getMessage())));
        }
    }

    @Override
    public VmmOptions options() {
        return options;
    }

    @Override
    public boolean dynamicPamtEnabled() {
        return host.isDynamicPamt();
    }

    @Override
    public TdxHost host() {
        return host;
    }

    @Override
    public RawMachine raw() {
        return raw;
    }

    @Override
    public StepwiseVms stepwise() {
        return stepwise;
    }

    @Override
    public HostFaults faults() {
        return faults;
    }

    private boolean worksFor(int cpu, String id) {
        Td td = tds.get(id);
        return td != null && td.vm().owner() == ledger.workingFor(cpu);
    }

    @Override
    public List<Violation> validate(TrustDomainSpec spec) {
        return new SpecValidator(host).check(spec);
    }

    @Override
    public Outcome<TrustDomain> create(TrustDomainSpec spec, BooleanSupplier cancelled) {
        List<Violation> violations = validate(spec);
        if (!violations.isEmpty()) {
            return Outcome.refused(new Refusal.InvalidSpec(violations));
        }
        Td td = new Td(spec, host, ledger, owners.incrementAndGet(), listeners);
        if (tds.putIfAbsent(spec.id(), td) != null) {
            return Outcome.refused(new Refusal.AlreadyExists(spec.id()));
        }
        boolean built = false;
        try {
            Refusal refusal = td.build(cancelled);
            built = refusal == null;
            return refusal == null ? Outcome.done(td) : Outcome.refused(refusal);
        } finally {
            if (!built) {
                tds.remove(spec.id(), td);
            }
        }
    }

    @Override
    public Outcome<TrustDomain> get(String id) {
        return with(id, Outcome::done);
    }

    @Override
    public List<TrustDomain> list() {
        List<TrustDomain> all = new ArrayList<>(tds.values());
        all.sort(Comparator.comparing(TrustDomain::id));
        return all;
    }

    @Override
    public Outcome<TrustDomain> start(String id) {
        return with(id, td -> td.start(TdAction.START));
    }

    @Override
    public Outcome<TrustDomain> pause(String id) {
        return with(id, Td::pause);
    }

    @Override
    public Outcome<TrustDomain> resume(String id) {
        return with(id, td -> td.start(TdAction.RESUME));
    }

    @Override
    public Outcome<TrustDomain> stop(String id) {
        return with(id, Td::stop);
    }

    @Override
    public Outcome<TrustDomain> kill(String id) {
        return with(id, Td::kill);
    }

    @Override
    public Outcome<TrustDomain> terminate(String id) {
        return with(id, Td::terminate);
    }

    @Override
    public Outcome<List<VcpuSnapshot>> vcpus(String id) {
        return with(id, td -> Outcome.done(td.vcpuSnapshots()));
    }

    @Override
    public Outcome<DrivenVcpu> drive(String id, int vcpu) {
        return with(id, td -> td.drive(vcpu));
    }

    @Override
    public Outcome<TdSnapshot> delete(String id, DeleteWatch watch) {
        return with(id, td -> td.delete(watch, () -> retire(td)));
    }

    /** What a TD met stays in the host's figures; no reader finds it there twice or not at all. */
    private void retire(Td td) {
        synchronized (retiring) {
            retired = retired.plus(td.contention());
            tds.remove(td.id(), td);
        }
    }

    @Override
    public Contention contention() {
        synchronized (retiring) {
            Contention all = retired;
            for (Td td : tds.values()) {
                all = all.plus(td.contention());
            }
            return all.withPamt(host.backing().lock().waits());
        }
    }

    private <T> Outcome<T> with(String id, Function<Td, Outcome<T>> action) {
        Td td = tds.get(id);
        return td == null ? Outcome.refused(new Refusal.NotFound(id)) : action.apply(td);
    }

    @Override
    public PamtView pamt() {
        return pamt;
    }

    @Override
    public GuestRam ram() {
        return ram;
    }

    @Override
    public void addListener(TdListener listener) {
        listeners.add(listener);
    }

    /** The TD whose VM is the wanted one; empty where none is. */
    private String idWhere(Predicate<KvmTdx> wanted) {
        return tds.values().stream()
                .filter(td -> wanted.test(td.vm()))
                .map(Td::id)
                .findFirst()
                .orElse("");
    }

    @Override
    public HostMemory memory() {
        HostMemoryReport report = host.memoryReport();
        long[] bytes = new long[PageUse.COUNT];
        long[] ranges = new long[1];
        ledger.forEach((pfn, owner, cause) -> {
            bytes[cause.ordinal()] += 2 * Addresses.PAGE_SIZE;
            ranges[0]++;
        });
        return new HostMemory(
                report.memoryBytes(),
                report.freeBytes(),
                report.pamtStaticBytes(),
                report.staticPamtWouldBe(),
                report.refcountBytes(),
                new PamtShare(
                        bytes[PageUse.CONTROL.ordinal()],
                        bytes[PageUse.SEPT.ordinal()],
                        bytes[PageUse.GUEST_PRIVATE.ordinal()]),
                ranges[0],
                report.keyIdsTotal(),
                report.keyIdsUsed());
    }

    @Override
    public List<Finding> audit() {
        return host.stopMachine().whileStopped(this::auditStopped);
    }

    private List<Finding> auditStopped() {
        List<Finding> findings = new ArrayList<>();
        for (String finding : HostAuditor.audit(host)) {
            findings.add(new Finding("host", "host", finding));
        }
        List<KvmTdx> vms = new ArrayList<>(stepwise.tdxVms());
        tds.values().forEach(td -> vms.add(td.vm()));
        KvmAuditor auditor = new KvmAuditor(host, ledger);
        auditor.audit(
                vms,
                stepwise.ordinaryVms(),
                (rule, vm, text) -> findings.add(new Finding(rule, nameOf(vm), text)));
        return List.copyOf(findings);
    }

    private String nameOf(int owner) {
        String id = idWhere(vm -> vm.owner() == owner);
        return id.isEmpty() ? stepwise.idOf(owner).map(vm -> "vms/" + vm).orElse("host") : id;
    }

    @Override
    public void close() {
        faults.disarmAll();
        stepwise.close();
        for (String id : List.copyOf(tds.keySet())) {
            var _ = stop(id);
            var _ = delete(id);
        }
    }
}
