// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import dev.seamlab.host.HostAuditor;
import dev.seamlab.host.Preset;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.init.TdxInitException;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.kernel.KernelLog;
import dev.seamlab.kvm.KvmAuditor;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.kvm.KvmVcpu;
import dev.seamlab.kvm.PairLedger;
import dev.seamlab.kvm.TdConfig;
import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.profile.BuiltInProfiles;
import dev.seamlab.seam.SeamcallListener;
import dev.seamlab.vmm.RawMachine;
import java.util.ArrayList;
import java.util.List;

/** A host for benchmarks, with what KVM needs to build TDs on it. Every refusal is an exception. */
final class Lab {
    /** Two packages with a NUMA node each, so that TDs can be kept apart. */
    static final String PROFILE = "server-2t-2s";

    private static final int GPA_WIDTH = 48;

    private final TdxHost host;
    private final PairLedger ledger;
    private final List<KvmTdx> tds = new ArrayList<>();
    private int owners;

    Lab(String preset) {
        this(PROFILE, preset);
    }

    Lab(String profile, String preset) {
        var machine =
                RawMachine.switchOn(BuiltInProfiles.byName(profile), SeamcallListener.NONE)
                        .machine();
        try {
            host = TdxHost.bringUp(machine, Preset.byName(preset).policy(), KernelLog.SILENT);
        } catch (TdxInitException e) {
            throw new IllegalStateException(e);
        }
        ledger = new PairLedger(machine.profile().memoryEnd(), machine.profile().cpus());
        host.tdh().phymem().setPairListener(ledger);
    }

    TdxHost host() {
        return host;
    }

    /** Index of a logical CPU: the {@code index}-th of a package. */
    int cpu(int packageIndex, int index) {
        return packageIndex * host.machine().profile().cpusPerPackage() + index;
    }

    /**
     * A finalised TD without initial memory whose guest memory begins at 0, all private.
     *
     * @param cpus the CPU that each vCPU is associated with; its node is where memory comes from
     */
    KvmTdx td(long bytes, int... cpus) {
        KvmTdx vm = new KvmTdx(host, ledger, ++owners, cpus.length);
        ok("addMemslot", vm.addMemslot(0, bytes));
        long xfam = (0x7 & host.info().xfamFixed0()) | host.info().xfamFixed1();
        ok("initVm", vm.initVm(new TdConfig(host.info().attributesFixed1(), xfam, GPA_WIDTH)));
        for (int cpu : cpus) {
            initVcpuOn(vm, cpu);
        }
        ok("setMemoryAttributes", vm.setMemoryAttributes(0, bytes, true));
        ok("finalizeVm", vm.finalizeVm());
        tds.add(vm);
        return vm;
    }

    private final List<KvmVcpu> lastVcpus = new ArrayList<>();

    /** The vCPUs of the TD that was built last. */
    List<KvmVcpu> vcpus() {
        return List.copyOf(lastVcpus);
    }

    /** A vCPU is associated with the CPU that initialises it, so that has to be the only one. */
    private void initVcpuOn(KvmTdx vm, int cpu) {
        List<LogicalCpu> all = host.machine().cpus();
        all.forEach(other -> other.setOnline(other.index() == cpu));
        try {
            KvmVcpu vcpu = vm.createVcpu();
            if (vcpu == null) {
                throw new IllegalStateException("no vCPU");
            }
            ok("initVcpu", vcpu.init(0));
            if (vcpu.index() == 0) {
                lastVcpus.clear();
            }
            lastVcpus.add(vcpu);
        } finally {
            all.forEach(other -> other.setOnline(true));
        }
    }

    /** Tears a TD down; everything must come back. */
    void destroy(KvmTdx vm) {
        if (!vm.destroy().isClean()) {
            throw new IllegalStateException("a page or a KeyID leaked: " + vm.lastAnswer());
        }
        tds.remove(vm);
    }

    /** Tears every TD down. */
    void destroyAll() {
        List.copyOf(tds).forEach(this::destroy);
    }

    /** Recomputes all invariants; nobody may be at work. */
    void audit() {
        List<String> findings = new ArrayList<>(HostAuditor.audit(host));
        new KvmAuditor(host, ledger)
                .audit(tds, (rule, vm, text) -> findings.add(rule + " of TD " + vm + ": " + text));
        if (!findings.isEmpty()) {
            throw new IllegalStateException("the audit found: " + String.join("; ", findings));
        }
    }

    /** The end: audits with the last TDs in place, and again without any. */
    void close() {
        audit();
        destroyAll();
        audit();
    }

    static void ok(String step, int errno) {
        if (errno != Errno.OK) {
            throw new IllegalStateException(step + " failed with " + Errno.name(errno));
        }
    }
}
