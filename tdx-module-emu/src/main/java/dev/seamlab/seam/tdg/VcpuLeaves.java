// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.tdg;

import static dev.seamlab.seam.abi.StatusCode.NO_VALID_VE_INFO;
import static dev.seamlab.seam.abi.StatusCode.OPERAND_INVALID;

import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.guest.GuestCpu;
import dev.seamlab.seam.td.TdConfig;
import dev.seamlab.seam.td.TdControls;
import dev.seamlab.seam.td.VcpuContext;

/** The leaves by which a vCPU deals with itself (facts: module ABI sections 2.2 and 2.3). */
final class VcpuLeaves {
    private static final int MAX_VEINFO_VERSION = 2;
    private static final int CATEGORY_SHIFT = 32;
    private static final long NEVER_SELECTED =
            1L << Registers.RAX | 1L << Registers.RCX | 1L << Registers.RSP;
    private static final long CPUID_VE_FLAGS = 0x3;

    private VcpuLeaves() {}

    /** TDG.VP.VMCALL: hands selected registers to the host and waits for its answer. */
    static long vmcall(GuestCpu cpu, int version) {
        long selected = cpu.gprs().rcx();
        long forbidden = NEVER_SELECTED;
        if ((cpu.config().configFlags() & TdConfig.FLAG_NO_RBP_MOD) != 0) {
            forbidden |= 1L << Registers.RBP;
        }
        if ((selected & forbidden) != 0 || selected >>> 32 != 0) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        return cpu.exitForVmcall(selected);
    }

    /** TDG.VP.INFO. */
    static long info(GuestCpu cpu, int version) {
        TdConfig config = cpu.config();
        cpu.gprs()
                .rcx(config.gpaWidth())
                .rdx(config.attributes())
                .r8(cpu.tdcs().vcpus() | (long) config.maxVcpus() << 32)
                .r9(cpu.vcpu().index())
                .r10(1)
                .r11(0);
        return Status.SUCCESS;
    }

    /** TDG.VP.VEINFO.GET: takes the information that came with a virtualization exception. */
    static long veInfoGet(GuestCpu cpu, int version) {
        Registers gprs = cpu.gprs().rcx(0).rdx(0).r8(0).r9(0).r10(0);
        if (version > MAX_VEINFO_VERSION) {
            return OPERAND_INVALID.with(Operand.RAX);
        }
        VcpuContext context = cpu.context();
        if (!context.veValid()) {
            return NO_VALID_VE_INFO.word();
        }
        if (version == MAX_VEINFO_VERSION) {
            // R12 is interruptibility, and nothing in the model blocks interrupts.
            gprs.r11(0).r12(0);
        }
        long category = version > 0 ? (long) context.veCategory() << CATEGORY_SHIFT : 0;
        gprs.rcx(context.veReason() | category)
                .rdx(context.veQualification())
                .r8(context.veGla())
                .r9(context.veGpa())
                .r10(context.veInstruction());
        context.clearVe();
        return Status.SUCCESS;
    }

    /** TDG.VP.CPUIDVE.SET. CPUID raises #VE in this model whatever the flags say. */
    static long cpuidVeSet(GuestCpu cpu, int version) {
        long flags = cpu.gprs().rcx();
        VcpuContext context = cpu.context();
        int supervisor = (int) flags & 1;
        int user = (int) flags >>> 1 & 1;
        boolean locked = (cpu.tdcs().controls().tdCtls() & TdControls.LOCK) != 0;
        boolean same = supervisor == context.cpuidSupervisorVe() && user == context.cpuidUserVe();
        if ((flags & ~CPUID_VE_FLAGS) != 0 || (locked && !same)) {
            return OPERAND_INVALID.with(Operand.RCX);
        }
        context.cpuidSupervisorVe(supervisor);
        context.cpuidUserVe(user);
        return Status.SUCCESS;
    }
}
