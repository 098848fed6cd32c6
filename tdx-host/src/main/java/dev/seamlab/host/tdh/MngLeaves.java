// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.tdh;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.Hpa;
import dev.seamlab.seam.abi.Leaf;

/**
 * TDH.MNG.* and TDH.MR.*: life and measurement of a TD. Operands: facts, module ABI section 1.5.
 */
public final class MngLeaves {
    private final Seamcall seamcall;

    MngLeaves(Seamcall seamcall) {
        this.seamcall = seamcall;
    }

    /** Makes a free page the TDR of a new TD. */
    public long create(HostCpu cpu, @Hpa long tdr, int hkid) {
        cpu.regs().rcx(tdr).rdx(hkid);
        return seamcall.call(cpu, Leaf.MNG_CREATE);
    }

    /** Programs the TD's key; once on each package. */
    public long keyConfig(HostCpu cpu, @Hpa long tdr) {
        cpu.regs().rcx(tdr);
        return seamcall.call(cpu, Leaf.MNG_KEY_CONFIG);
    }

    /** Gives the TD a page of its TDCS. */
    public long addcx(HostCpu cpu, @Hpa long tdr, @Hpa long tdcx) {
        cpu.regs().rcx(tdcx).rdx(tdr);
        return seamcall.call(cpu, Leaf.MNG_ADDCX);
    }

    /**
     * Initialises the TD. Out: RCX 0, or the CPUID leaf and subleaf that failed.
     *
     * @param params a TD_PARAMS structure, 1024-byte aligned
     */
    public long init(HostCpu cpu, @Hpa long tdr, @Hpa long params) {
        cpu.regs().rcx(tdr).rdx(params).r8(0);
        return seamcall.call(cpu, Leaf.MNG_INIT);
    }

    /** Reads a field of the TD. Out: R8 value. */
    public long rd(HostCpu cpu, @Hpa long tdr, long field) {
        cpu.regs().rcx(tdr).rdx(field);
        return seamcall.call(cpu, Leaf.MNG_RD);
    }

    /** Writes the masked bits of a field of the TD. Out: R8 old value. */
    public long wr(HostCpu cpu, @Hpa long tdr, long field, long value, long mask) {
        cpu.regs().rcx(tdr).rdx(field).r8(value).r9(mask);
        return seamcall.call(cpu, Leaf.MNG_WR);
    }

    /** Measures 256 bytes of an added page. Out: RCX, RDX details. */
    public long mrExtend(HostCpu cpu, @Hpa long tdr, @Gpa long gpa) {
        cpu.regs().rcx(gpa).rdx(tdr);
        return seamcall.call(cpu, Leaf.MR_EXTEND);
    }

    /** Ends the build: MRTD is final, the TD can run. */
    public long mrFinalize(HostCpu cpu, @Hpa long tdr) {
        cpu.regs().rcx(tdr);
        return seamcall.call(cpu, Leaf.MR_FINALIZE);
    }

    /** States that no vCPU is associated with a CPU any more. */
    public long vpflushdone(HostCpu cpu, @Hpa long tdr) {
        cpu.regs().rcx(tdr);
        return seamcall.call(cpu, Leaf.MNG_VPFLUSHDONE);
    }

    /** Frees the TD's KeyID once all caches are written back. */
    public long keyFreeid(HostCpu cpu, @Hpa long tdr) {
        cpu.regs().rcx(tdr);
        return seamcall.call(cpu, Leaf.MNG_KEY_FREEID);
    }
}
