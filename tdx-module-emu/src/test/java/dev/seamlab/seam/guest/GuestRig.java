// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.GuestCode;
import dev.seamlab.machine.GuestContext;
import dev.seamlab.machine.GuestMode;
import dev.seamlab.machine.GuestMode.Outcome;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.Seam;
import dev.seamlab.machine.SharedEpt;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.KeyIdPartition;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.machine.profile.NumaNode;
import dev.seamlab.seam.TdxModule;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.TdParams;
import dev.seamlab.seam.abi.TdcallLeaf;
import dev.seamlab.seam.abi.TdmrInfo;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

/**
 * A small host with one TD, driven by SEAMCALLs only: what a test of the guest side needs around
 * the guest. Static PAMT; one vCPU unless more are asked for.
 */
final class GuestRig {
    static final int CPUS = 3;
    static final long SEPT_VE_DISABLE = 1L << 28;
    static final long SHARED_BIT = 1L << 47;

    private static final long LOW_BUFFERS = 0x8000_0000L;
    private static final long TDMR = 0x1_0000_0000L;
    private static final long TDMR_SIZE = Addresses.GIB;
    private static final long PAMT_AREAS = 0x1_8000_0000L;
    private static final long LARGE_PAGES = TDMR + 0x1000_0000L;
    private static final int GLOBAL_HKID = 0x20;
    private static final int TD_HKID = 0x21;
    private static final int TDCX_PAGES = 6;
    private static final int TDVPS_EXTRA_PAGES = 5;

    final Machine machine;
    final Registers regs = new Registers();
    private long nextPage = TDMR;
    private long nextLarge = LARGE_PAGES;
    private final Set<String> tables = new HashSet<>();

    final long tdr;

    private GuestRig(Function<Machine, Seam> firmware, long attributes, long configFlags) {
        AddressRange low = new AddressRange(0x10_0000, 0x1_0000_0000L);
        AddressRange high = new AddressRange(TDMR, PAMT_AREAS + Addresses.GIB);
        List<AddressRange> memory = List.of(low, high);
        machine =
                new Machine(
                        new MachineProfile(
                                "guest-rig",
                                "",
                                1,
                                CPUS,
                                52,
                                new KeyIdPartition(6, 31, 32),
                                List.of(new NumaNode(memory)),
                                memory,
                                ModuleProfile.V1_5_25,
                                false));
        machine.load(firmware.apply(machine));
        bringUp();
        tdr = createTd(attributes, configFlags);
    }

    /** A TD that runs, with one vCPU and the page at GPA 0 added before it was finalised. */
    static Running running(long attributes) {
        return running(attributes, 0, 1);
    }

    static Running running(long attributes, long configFlags, int vcpus) {
        return running(TdxModule::new, attributes, configFlags, vcpus);
    }

    static Running running(
            Function<Machine, Seam> firmware, long attributes, long configFlags, int vcpus) {
        GuestRig rig = new GuestRig(firmware, attributes, configFlags);
        long[] tdvprs = new long[vcpus];
        for (int i = 0; i < vcpus; i++) {
            tdvprs[i] = rig.createVcpu(i);
        }
        rig.mapTables(0, PageInfo.LEVEL_4K);
        rig.must(Leaf.MEM_PAGE_ADD, 0, rig.tdr, rig.page(), LOW_BUFFERS);
        rig.must(Leaf.MR_FINALIZE, rig.tdr);
        return new Running(rig, tdvprs);
    }

    /** A finalised TD. */
    static final class Running {
        private final GuestRig rig;
        private final long[] vcpus;

        private Running(GuestRig rig, long[] vcpus) {
            this.rig = rig;
            this.vcpus = vcpus;
        }

        GuestRig rig() {
            return rig;
        }

        /** TDVPR pages. */
        long[] vcpus() {
            return vcpus;
        }

        /** Runs vCPU 0 on CPU 0. */
        long enter(GuestCode code) {
            return enter(0, 0, code);
        }

        long enter(int cpu, int vcpu, GuestCode code) {
            rig.bind(vcpus[vcpu], code);
            return rig.call(cpu, Leaf.VP_ENTER, vcpus[vcpu]);
        }
    }

    // SEAMCALL.

    long call(int cpu, Leaf leaf, long... operands) {
        return callWith(new Registers(), cpu, leaf, operands);
    }

    /** The same with registers of the caller's; the rig's own follow the last call on CPU 0. */
    long callWith(Registers file, int cpu, Leaf leaf, long... operands) {
        file.clear().rax(leaf.rax(0));
        int[] order = {Registers.RCX, Registers.RDX, Registers.R8, Registers.R9};
        for (int i = 0; i < operands.length; i++) {
            file.set(order[i], operands[i]);
        }
        long status = machine.seamcall(machine.cpus().get(cpu), file);
        regs.copyFrom(file);
        return status;
    }

    void must(Leaf leaf, long... operands) {
        long status = call(0, leaf, operands);
        assertThat(status).as("%s: %s", leaf, Status.show(status)).isEqualTo(Status.SUCCESS);
    }

    PhysicalMemory memory() {
        return machine.memory();
    }

    // Memory of the TD.

    /** A fresh page that may become a TD's. */
    long page() {
        long hpa = nextPage;
        nextPage += Addresses.PAGE_SIZE;
        return hpa;
    }

    /** Adds the Secure EPT tables above a guest page of a level. */
    void mapTables(long gpa, int level) {
        for (int at = PageInfo.LEVEL_512G; at > level; at--) {
            long start = gpa & -PageInfo.sizeOf(at);
            if (tables.add(at + ":" + start)) {
                must(Leaf.MEM_SEPT_ADD, start | at, tdr, page());
            }
        }
    }

    /** Gives the TD a pending page, and the tables for it. */
    long aug(long gpa, int level) {
        mapTables(gpa, level);
        long hpa;
        if (level == PageInfo.LEVEL_2M) {
            hpa = nextLarge;
            nextLarge += Addresses.RANGE_SIZE;
        } else {
            hpa = page();
        }
        must(Leaf.MEM_PAGE_AUG, gpa | level, tdr, hpa);
        return hpa;
    }

    void bind(long tdvpr, GuestCode code) {
        bind(tdvpr, code, (gpa, access) -> SharedEpt.NOT_MAPPED);
    }

    void bind(long tdvpr, GuestCode code, SharedEpt ept) {
        machine.bindGuest(tdvpr, new GuestContext(code, ept));
    }

    // Guests.

    /** Executes TDCALL and returns the status the guest sees; fails unless it completes. */
    static long tdcall(GuestMode cpu, TdcallLeaf leaf, long rcx, long rdx) {
        cpu.gprs().clear().rax(leaf.number()).rcx(rcx).rdx(rdx);
        assertThat(cpu.tdcall()).isEqualTo(Outcome.DONE);
        return cpu.gprs().rax();
    }

    static long accept(GuestMode cpu, long gpa, int level) {
        return tdcall(cpu, TdcallLeaf.MEM_PAGE_ACCEPT, gpa | level, 0);
    }

    /** A guest that does one thing and is then interrupted. */
    static GuestCode once(GuestCode body) {
        return new GuestCode() {
            private boolean done;

            @Override
            public void step(GuestMode cpu) {
                if (done) {
                    cpu.vmExit(1, 0, 0, 0x8000_00F0L);
                } else {
                    done = true;
                    body.step(cpu);
                }
            }
        };
    }

    private void bringUp() {
        must(Leaf.SYS_INIT);
        for (int cpu = 0; cpu < CPUS; cpu++) {
            assertThat(call(cpu, Leaf.SYS_LP_INIT)).isZero();
        }
        long info = LOW_BUFFERS + 0x1000;
        long array = LOW_BUFFERS + 0x2000;
        TdmrInfo.writeRange(memory(), info, TDMR, TDMR_SIZE);
        TdmrInfo.writePamt(memory(), info, PageInfo.LEVEL_1G, PAMT_AREAS, 0x1000);
        TdmrInfo.writePamt(memory(), info, PageInfo.LEVEL_2M, PAMT_AREAS + 0x1000, 0x2000);
        TdmrInfo.writePamt(memory(), info, PageInfo.LEVEL_4K, PAMT_AREAS + 0x10_0000, 0x40_0000);
        memory().writeLong(array, info);
        must(Leaf.SYS_CONFIG, array, 1, GLOBAL_HKID);
        must(Leaf.SYS_KEY_CONFIG);
        do {
            must(Leaf.SYS_TDMR_INIT, TDMR);
        } while (regs.rdx() < TDMR + TDMR_SIZE);
    }

    private long createTd(long attributes, long configFlags) {
        long td = page();
        must(Leaf.MNG_CREATE, td, TD_HKID);
        must(Leaf.MNG_KEY_CONFIG, td);
        for (int i = 0; i < TDCX_PAGES; i++) {
            must(Leaf.MNG_ADDCX, page(), td);
        }
        long params = LOW_BUFFERS + 0x3000;
        memory().writeLong(params + TdParams.ATTRIBUTES, attributes);
        memory().writeLong(params + TdParams.XFAM, 0x3);
        memory().writeShort(params + TdParams.MAX_VCPUS, 4);
        memory().writeLong(params + TdParams.EPTP_CONTROLS, 0x1E);
        memory().writeLong(params + TdParams.CONFIG_FLAGS, configFlags);
        memory().writeShort(params + TdParams.TSC_FREQUENCY, 84);
        memory().writeByte(params + TdParams.MRCONFIGID, 0xC1);
        memory().writeByte(params + TdParams.MROWNER, 0xC2);
        memory().writeByte(params + TdParams.MROWNERCONFIG, 0xC3);
        must(Leaf.MNG_INIT, td, params);
        return td;
    }

    /** Creates a vCPU that is associated with CPU {@code cpu}. */
    long createVcpu(int cpu) {
        long tdvpr = page();
        must(Leaf.VP_CREATE, tdvpr, tdr);
        for (int i = 0; i < TDVPS_EXTRA_PAGES; i++) {
            must(Leaf.VP_ADDCX, page(), tdvpr);
        }
        assertThat(call(cpu, Leaf.VP_INIT, tdvpr, 0)).isZero();
        return tdvpr;
    }
}
