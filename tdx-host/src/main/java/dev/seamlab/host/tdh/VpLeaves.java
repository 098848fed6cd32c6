// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.tdh;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.machine.Hpa;
import dev.seamlab.seam.abi.Leaf;

/** TDH.VP.*: life of a vCPU. Operands: facts, module ABI section 1.5. */
public final class VpLeaves {
    private final Seamcall seamcall;

    VpLeaves(Seamcall seamcall) {
        this.seamcall = seamcall;
    }

    /** Makes a free page the TDVPR of a new vCPU. */
    public long create(HostCpu cpu, @Hpa long tdr, @Hpa long tdvpr) {
        cpu.regs().rcx(tdvpr).rdx(tdr);
        return seamcall.call(cpu, Leaf.VP_CREATE);
    }

    /** Gives the vCPU a further page of its control structure. */
    public long addcx(HostCpu cpu, @Hpa long tdvpr, @Hpa long tdcx) {
        cpu.regs().rcx(tdcx).rdx(tdvpr);
        return seamcall.call(cpu, Leaf.VP_ADDCX);
    }

    /**
     * Initialises the vCPU, with an x2APIC id (version 1), and associates it with this CPU.
     *
     * @param initialRcx what the guest finds in RCX and R8: the address of the TD HOB
     */
    public long init(HostCpu cpu, @Hpa long tdvpr, long initialRcx, int x2apicId) {
        cpu.regs().rcx(tdvpr).rdx(initialRcx).r8(Integer.toUnsignedLong(x2apicId));
        return seamcall.call(cpu, Leaf.VP_INIT, 1);
    }

    /** Initialises the vCPU without an x2APIC id (version 0). */
    public long init(HostCpu cpu, @Hpa long tdvpr, long initialRcx) {
        cpu.regs().rcx(tdvpr).rdx(initialRcx);
        return seamcall.call(cpu, Leaf.VP_INIT);
    }

    /**
     * Enters the guest and returns at the next TD exit. All registers but RAX and RCX go in as the
     * caller left them, and all registers come out.
     */
    public long enter(HostCpu cpu, @Hpa long tdvpr) {
        cpu.regs().rcx(tdvpr);
        return seamcall.call(cpu, Leaf.VP_ENTER);
    }

    /** Ends the vCPU's association with this CPU. */
    public long flush(HostCpu cpu, @Hpa long tdvpr) {
        cpu.regs().rcx(tdvpr);
        return seamcall.call(cpu, Leaf.VP_FLUSH);
    }

    /** Reads a field of the vCPU. Out: R8 value. */
    public long rd(HostCpu cpu, @Hpa long tdvpr, long field) {
        cpu.regs().rcx(tdvpr).rdx(field);
        return seamcall.call(cpu, Leaf.VP_RD);
    }

    /** Writes the masked bits of a field of the vCPU. Out: R8 old value. */
    public long wr(HostCpu cpu, @Hpa long tdvpr, long field, long value, long mask) {
        cpu.regs().rcx(tdvpr).rdx(field).r8(value).r9(mask);
        return seamcall.call(cpu, Leaf.VP_WR);
    }
}
