// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.guest.GuestMemory;
import dev.seamlab.guest.ProgramRunner;
import dev.seamlab.guest.Workload;
import dev.seamlab.host.HostAuditor;
import dev.seamlab.host.HostPolicy;
import dev.seamlab.host.Preset;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.fault.SeamcallFaults;
import dev.seamlab.host.init.TdxInitException;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.GuestCode;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.SeamcallListener;
import dev.seamlab.seam.TdxModule;
import dev.seamlab.seam.core.InterruptModel;
import dev.seamlab.vmm.Lab;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * A host with KVM on it, at KVM's own interface, and SEAMCALLs that can be refused. Closing it
 * destroys every VM, audits, and compares the host's books with what they were at the start.
 */
final class KvmRig implements AutoCloseable {
    /** Guest memory of {@link #initialised}: 16 MiB from address 0. */
    static final long MEMORY = 16L << 20;

    /** Attributes of most TDs: a page that was not accepted ends the TD. */
    static final TdConfig CONFIG = new TdConfig(1L << 28, 3, 48);

    /** Where guests made of text keep operands; added before the TD is finalised. */
    static final long SCRATCH = MEMORY - Addresses.PAGE_SIZE;

    final Machine machine = new Machine(Lab.smallHost());
    final TdxHost host;
    final SeamcallFaults faults;
    final PairLedger ledger;

    /** Added to by whoever builds, also while somebody audits. */
    final List<KvmTdx> vms = new CopyOnWriteArrayList<>();

    final List<OrdinaryVm> ordinary = new ArrayList<>();
    final List<String> log = new ArrayList<>();
    private final Map<PageUse, Long> before;
    private int owner;
    private long toldOfLeaks;

    KvmRig() {
        this(Preset.V4);
    }

    KvmRig(Preset preset) {
        this(preset.policy(), InterruptModel.NEVER);
    }

    /**
     * @param interrupts what stops long leaves of the module
     */
    KvmRig(HostPolicy policy, InterruptModel interrupts) {
        machine.load(new TdxModule(machine, SeamcallListener.NONE, interrupts));
        try {
            host = TdxHost.bringUp(machine, policy, this::logged);
        } catch (TdxInitException e) {
            throw new AssertionError(e);
        }
        ledger = new PairLedger(machine.profile().memoryEnd(), machine.cpus().size());
        host.tdh().phymem().setPairListener(ledger);
        faults = SeamcallFaults.on(machine);
        before = host.pages().usedPages();
    }

    private synchronized void logged(String line) {
        log.add(line);
    }

    /** A VM without anything. */
    KvmTdx vm(int maxVcpus) {
        KvmTdx vm = new KvmTdx(host, ledger, ++owner, maxVcpus);
        vm.onLeak(pfn -> toldOfLeaks++);
        vms.add(vm);
        return vm;
    }

    /** A TD with memory, all of it private, and initialised vCPUs. */
    KvmTdx initialised(int vcpus) {
        KvmTdx vm = vm(vcpus);
        ok(vm.addMemslot(0, MEMORY));
        ok(vm.initVm(CONFIG));
        for (int i = 0; i < vcpus; i++) {
            ok(vcpu(vm).init(0));
        }
        ok(vm.setMemoryAttributes(0, MEMORY, true));
        return vm;
    }

    /** A TD that may run, with one page added. */
    KvmTdx runnable(int vcpus) {
        KvmTdx vm = initialised(vcpus);
        ok(vm.vcpus()[0].initMemRegion(SCRATCH, 1, true, (page, into) -> {}));
        ok(vm.finalizeVm());
        return vm;
    }

    static KvmVcpu vcpu(KvmTdx vm) {
        KvmVcpu vcpu = vm.createVcpu();
        if (vcpu == null) {
            throw new AssertionError("no vCPU");
        }
        return vcpu;
    }

    static void ok(int result) {
        assertThat(Errno.name(result)).isEqualTo("OK");
    }

    /** Runs a program on a vCPU until it powers the TD off; conversions are done on the way. */
    static KvmExit run(KvmTdx vm, KvmVcpu vcpu, String program) {
        GuestMemory memory = new GuestMemory(List.of(), 47, SCRATCH);
        ProgramRunner runner =
                new ProgramRunner(
                        Workload.parse(program + "; shutdown").compile(memory, 0, 1), memory, 0);
        return run(vm, vcpu, runner);
    }

    /** Runs a guest until something other than a conversion comes out. */
    static KvmExit run(KvmTdx vm, KvmVcpu vcpu, GuestCode guest) {
        vcpu.bindGuest(guest);
        while (true) {
            KvmExit exit = vcpu.run();
            if (exit instanceof KvmExit.MapGpa(long gpa, long size, boolean toShared)) {
                vcpu.completeMapGpa(vm.setMemoryAttributes(gpa, size, !toShared));
            } else {
                return exit;
            }
        }
    }

    /** One TDVMCALL, its answer kept, then power-off. */
    static final class Call implements GuestCode {
        private final long[] operands;
        private int step;
        final long[] answer = new long[Registers.COUNT];

        /** R11 and up. */
        Call(long... operands) {
            this.operands = operands;
        }

        @Override
        public void step(dev.seamlab.machine.GuestMode cpu) {
            Registers regs = cpu.gprs();
            if (step == 1) {
                for (int i = 0; i < answer.length; i++) {
                    answer[i] = regs.get(i);
                }
            }
            regs.clear();
            regs.set(Registers.RCX, 0xFC00);
            if (step++ == 0) {
                for (int i = 0; i < operands.length; i++) {
                    regs.set(Registers.R11 + i, operands[i]);
                }
            } else {
                regs.set(Registers.R11, 30);
                regs.set(Registers.R12, 2);
                regs.set(Registers.R13, 1);
                regs.set(Registers.R14, ProgramRunner.POWER_PORT);
                regs.set(Registers.R15, ProgramRunner.POWER_OFF);
            }
            var _ = cpu.tdcall();
        }
    }

    /** What host and KVM auditor find. */
    List<String> audit() {
        return host.stopMachine()
                .whileStopped(() -> {
                    List<String> findings = new ArrayList<>(HostAuditor.audit(host));
                    new KvmAuditor(host, ledger)
                            .audit(
                                    vms,
                                    ordinary,
                                    (rule, vm, text) -> findings.add(rule + ": " + text));
                    return findings;
                });
    }

    /** Pages by use, those that bring-up took left out. */
    Map<PageUse, Long> used() {
        Map<PageUse, Long> now = new EnumMap<>(PageUse.class);
        host.pages()
                .usedPages()
                .forEach((use, pages) -> {
                    long more = pages - before.getOrDefault(use, 0L);
                    if (more != 0) {
                        now.put(use, more);
                    }
                });
        return now;
    }

    /** Pages that some VM said it had to give up. */
    long toldOfLeaks() {
        return toldOfLeaks;
    }

    /** Ends it without a look at what is left: a defect as posted was let loose on it. */
    void abandon() {
        faults.close();
    }

    @Override
    public void close() {
        faults.clear();
        assertThat(audit()).as("audit at the end").isEmpty();
        for (KvmTdx vm : vms) {
            var _ = vm.destroy();
        }
        ordinary.forEach(OrdinaryVm::destroy);
        vms.clear();
        ordinary.clear();
        assertThat(audit()).as("audit of the emptied host").isEmpty();
        Map<PageUse, Long> left = used();
        left.remove(PageUse.LEAKED);
        if (!host.pages().usedPages().get(PageUse.LEAKED).equals(0L)
                || !host.tdh().phymem().pairsKept().isEmpty()) {
            left.remove(PageUse.PAMT_PAIR); // leaked pages keep their backing
        }
        assertThat(left).as("pages that nobody holds").isEmpty();
        faults.close();
    }
}
