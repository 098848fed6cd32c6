// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.tdh;

import dev.seamlab.machine.Machine;

/**
 * All SEAMCALL leaves that the host uses, by family. Each method fills the registers of the CPU it
 * is given, calls, and returns the status word as it came; what the leaf returned stands in the
 * CPU's registers until the next call. Allocates nothing.
 */
public final class Tdh {
    private final SysLeaves sys;
    private final MngLeaves mng;
    private final VpLeaves vp;
    private final MemLeaves mem;
    private final PhymemLeaves phymem;

    public Tdh(Machine machine) {
        Seamcall seamcall = new Seamcall(machine);
        this.sys = new SysLeaves(seamcall);
        this.mng = new MngLeaves(seamcall);
        this.vp = new VpLeaves(seamcall);
        this.mem = new MemLeaves(seamcall);
        this.phymem = new PhymemLeaves(seamcall, machine.profile().addressBits());
    }

    /** TDH.SYS.*: the module as a whole. */
    public SysLeaves sys() {
        return sys;
    }

    /** TDH.MNG.* and TDH.MR.*: a TD as a whole. */
    public MngLeaves mng() {
        return mng;
    }

    /** TDH.VP.*: a vCPU. */
    public VpLeaves vp() {
        return vp;
    }

    /** TDH.MEM.*: a TD's private memory. */
    public MemLeaves mem() {
        return mem;
    }

    /** TDH.PHYMEM.*: physical pages and caches. */
    public PhymemLeaves phymem() {
        return phymem;
    }
}
