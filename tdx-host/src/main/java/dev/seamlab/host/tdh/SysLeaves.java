// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.tdh;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.machine.Hpa;
import dev.seamlab.seam.abi.Leaf;

/** TDH.SYS.*: bring-up of the module. Operands: facts, module ABI section 1.4. */
public final class SysLeaves {
    /** Flag of SYS.CONFIG, beside the global KeyID in R8. */
    public static final long CONFIG_DYNAMIC_PAMT = 1L << 16;

    private final Seamcall seamcall;

    SysLeaves(Seamcall seamcall) {
        this.seamcall = seamcall;
    }

    /** Once for the whole machine. */
    public long init(HostCpu cpu) {
        cpu.regs().rcx(0);
        return seamcall.call(cpu, Leaf.SYS_INIT);
    }

    /** Once on each logical CPU. */
    public long lpInit(HostCpu cpu) {
        return seamcall.call(cpu, Leaf.SYS_LP_INIT);
    }

    /** Reads a global metadata field. Out: R8 value, RDX next field. */
    public long rd(HostCpu cpu, long field) {
        cpu.regs().rdx(field);
        return seamcall.call(cpu, Leaf.SYS_RD);
    }

    /**
     * Hands over the TDMRs.
     *
     * @param array 512-byte aligned array of the TDMR_INFO addresses
     * @param flags {@link #CONFIG_DYNAMIC_PAMT} or 0
     */
    public long config(HostCpu cpu, @Hpa long array, int count, int globalKeyId, long flags) {
        cpu.regs().rcx(array).rdx(count).r8(globalKeyId | flags);
        return seamcall.call(cpu, Leaf.SYS_CONFIG);
    }

    /** Once on each package. */
    public long keyConfig(HostCpu cpu) {
        return seamcall.call(cpu, Leaf.SYS_KEY_CONFIG);
    }

    /** Initialises one slice of a TDMR's PAMT. Out: RDX next address, rounded down to 1 GiB. */
    public long tdmrInit(HostCpu cpu, @Hpa long tdmr) {
        cpu.regs().rcx(tdmr);
        return seamcall.call(cpu, Leaf.SYS_TDMR_INIT);
    }
}
