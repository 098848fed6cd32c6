// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import com.sun.management.ThreadMXBean;
import dev.seamlab.host.Preset;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.init.TdxInitException;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.kernel.KernelLog;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.profile.BuiltInProfiles;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.seam.TdxModule;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Measures private faults alone, in order, without a guest: what KVM does between TD exit and entry
 * (top-up, slot, page, mirror, get, AUG). Not a test: run it by hand, without assertions, with
 * {@code -XX:+UseParallelGC -Xms4g -Xmx4g -XX:+AlwaysPreTouch}. Arguments: TDs, vCPUs of each, MiB
 * of each, rounds, presets (by comma). A thread per vCPU; each takes its own stretch.
 *
 * <p>Nanoseconds are of the threads' CPU time, which neighbours hardly move. One uncontended
 * compare-and-set, measured in between, is the yardstick. The allocation shown is per fault: tables
 * for 512 pages each, and nothing else.
 */
final class PureFaultRate {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final @Gfn long BASE = 1L << (32 - Addresses.PAGE_SHIFT);

    private PureFaultRate() {}

    private record Sample(double wall, double cpu, double bytes) {}

    public static void main(String[] args) throws Exception {
        int tds = args.length > 0 ? Integer.parseInt(args[0]) : 1;
        int vcpus = args.length > 1 ? Integer.parseInt(args[1]) : 1;
        long mib = args.length > 2 ? Long.parseLong(args[2]) : 4096;
        int rounds = args.length > 3 ? Integer.parseInt(args[3]) : 12;
        String[] presets = (args.length > 4 ? args[4] : "static,v4,merged").split(",", -1);
        List<List<Sample>> samples = new ArrayList<>();
        for (int p = 0; p < presets.length; p++) {
            samples.add(new ArrayList<>());
        }
        double cas = Double.MAX_VALUE;
        for (int round = 0; round < rounds; round++) {
            for (int p = 0; p < presets.length; p++) {
                Sample one = measure(presetOf(presets[p]), tds, vcpus, mib);
                if (round >= rounds / 2) {
                    samples.get(p).add(one);
                }
            }
            cas = Math.min(cas, compareAndSet());
        }
        for (int p = 0; p < presets.length; p++) {
            double[] cpu = samples.get(p).stream().mapToDouble(Sample::cpu).sorted().toArray();
            double[] wall = samples.get(p).stream().mapToDouble(Sample::wall).sorted().toArray();
            double bytes = samples.get(p).stream().mapToDouble(Sample::bytes).min().orElseThrow();
            System.out.printf(
                    "%-8s %d TD x %d vCPU: wall %6.1f (best %6.1f)  cpu %6.1f (best %6.1f) ns a"
                            + " fault = %.1f CAS of %.2f ns;  %.1f B a fault%n",
                    presets[p],
                    tds,
                    vcpus,
                    wall[wall.length / 2],
                    wall[0],
                    cpu[cpu.length / 2],
                    cpu[0],
                    cpu[0] / cas,
                    cas,
                    bytes);
        }
    }

    private static Preset presetOf(String id) {
        return Arrays.stream(Preset.values())
                .filter(preset -> preset.id().equals(id))
                .findFirst()
                .orElseThrow();
    }

    private static double compareAndSet() {
        int turns = 1_000_000;
        long[] words = new long[32];
        long start = THREADS.getCurrentThreadCpuTime();
        for (int i = 0; i < turns; i++) {
            if (!Cells.cas(words, 16, i, i + 1)) {
                throw new AssertionError();
            }
        }
        return (double) (THREADS.getCurrentThreadCpuTime() - start) / turns;
    }

    private static Sample measure(Preset preset, int tds, int vcpus, long mib)
            throws TdxInitException, InterruptedException {
        MachineProfile profile = BuiltInProfiles.byName("server-256g");
        Machine machine = new Machine(profile);
        machine.load(new TdxModule(machine));
        TdxHost host = TdxHost.bringUp(machine, preset.policy(), KernelLog.SILENT);
        PairLedger ledger = new PairLedger(profile.memoryEnd(), profile.cpus());
        host.tdh().phymem().setPairListener(ledger);
        List<KvmTdx> vms = new ArrayList<>();
        List<Faults> threads = new ArrayList<>();
        for (int td = 0; td < tds; td++) {
            KvmTdx vm = new KvmTdx(host, ledger, td + 1, vcpus);
            vms.add(vm);
            ok(vm.addMemslot(Addresses.gpa(BASE), mib << 20));
            long xfam = (3 & host.info().xfamFixed0()) | host.info().xfamFixed1();
            ok(vm.initVm(new TdConfig(1L << 28, xfam, 48)));
            long share = (mib << 8) / vcpus;
            for (int i = 0; i < vcpus; i++) {
                KvmVcpu vcpu = vm.createVcpu();
                ok(vcpu == null ? Errno.ENOMEM : vcpu.init(0));
                threads.add(new Faults(vm, vcpu, BASE + i * share, BASE + (i + 1) * share));
            }
            ok(vm.setMemoryAttributes(Addresses.gpa(BASE), mib << 20, true));
            ok(vm.finalizeVm());
        }
        long start = System.nanoTime();
        for (Faults thread : threads) {
            thread.start();
        }
        long cpu = 0;
        long bytes = 0;
        for (Faults thread : threads) {
            thread.join();
            cpu += thread.cpu;
            bytes += thread.bytes;
        }
        double wall = System.nanoTime() - start;
        double faults = (double) tds * (mib << 8);
        for (KvmTdx vm : vms) {
            vm.destroy();
        }
        return new Sample(wall / faults, cpu / faults, bytes / faults);
    }

    private static void ok(int errno) {
        if (errno != Errno.OK) {
            throw new AssertionError(Errno.name(errno));
        }
    }

    /** One vCPU's faults. */
    private static final class Faults extends Thread {
        private final KvmTdx vm;
        private final KvmVcpu vcpu;
        private final @Gfn long from;
        private final @Gfn long to;
        private long cpu;
        private long bytes;

        Faults(KvmTdx vm, KvmVcpu vcpu, @Gfn long from, @Gfn long to) {
            this.vm = vm;
            this.vcpu = vcpu;
            this.from = from;
            this.to = to;
        }

        @Override
        public void run() {
            HostCpu on = vm.claim(vcpu.associatedCpu());
            try {
                long memory = THREADS.getCurrentThreadAllocatedBytes();
                long start = THREADS.getCurrentThreadCpuTime();
                for (long gfn = from; gfn < to; gfn++) {
                    ok(vm.faults().handle(on, vcpu, gfn, true));
                }
                cpu = THREADS.getCurrentThreadCpuTime() - start;
                bytes = THREADS.getCurrentThreadAllocatedBytes() - memory;
            } finally {
                vm.release(on);
            }
        }
    }
}
