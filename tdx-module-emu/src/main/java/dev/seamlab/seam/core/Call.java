// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.core;

import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.lock.HeldLocks;
import dev.seamlab.seam.lock.LockPath;
import dev.seamlab.seam.pamt.PageRef;
import dev.seamlab.seam.sept.SeptCursor;
import dev.seamlab.seam.td.Tdcs;
import dev.seamlab.seam.td.Tdr;
import dev.seamlab.seam.td.Tdvps;
import org.jspecify.annotations.Nullable;

/**
 * The frame of one call on one logical CPU: registers, locks held, and a slot for each structure
 * that a leaf works on. One per CPU, used again for every call, so that calls allocate nothing.
 */
public final class Call {
    private static final int EXTRA_PAGES = 4;

    private final LogicalCpu cpu;
    private final HeldLocks locks;
    private final LockPath tdPath;
    private final LockPath vcpuPath;
    private final PageRef page;
    private final PageRef tdrPage = new PageRef();
    private final PageRef vcpuPage = new PageRef();
    private final PageRef[] extraPages = new PageRef[EXTRA_PAGES];
    private final SeptCursor sept = new SeptCursor();
    private final byte[] buffer = new byte[4096];

    private Registers regs = new Registers();
    private int version;

    // Left standing after the call: the next one mostly works on the same TD. Not written again
    // where nothing changes, because each write of a reference marks a card, and the cards of all
    // CPUs' frames share cache lines.
    private @Nullable Tdr tdr;
    private @Nullable Tdcs tdcs;
    private @Nullable Tdvps tdvps;

    Call(LogicalCpu cpu, HeldLocks locks) {
        this.cpu = cpu;
        this.locks = locks;
        this.tdPath = locks.newPath();
        this.vcpuPath = locks.newPath();
        this.page = new PageRef(locks.newPath());
        for (int i = 0; i < EXTRA_PAGES; i++) {
            extraPages[i] = new PageRef();
        }
    }

    /**
     * A call begins.
     *
     * @param entry whether it is VP.ENTER
     */
    public void begin(Registers operands, int leafVersion, boolean entry) {
        if (regs != operands) {
            regs = operands;
        }
        version = leafVersion;
        locks.begin(entry);
    }

    /** The call is over: everything it holds goes back. */
    public void end() {
        sept.unlockIfHeld();
        locks.releaseAll();
    }

    /** CPU that executes SEAMCALL. */
    public LogicalCpu cpu() {
        return cpu;
    }

    /** Operands in, results out. */
    public Registers regs() {
        return regs;
    }

    /** Version of the leaf, RAX bits 23:16. */
    public int version() {
        return version;
    }

    /** Locks the call holds. */
    public HeldLocks locks() {
        return locks;
    }

    /** Metadata of the TDR page. */
    public PageRef tdrPage() {
        return tdrPage;
    }

    /** Metadata of the page the leaf is about. */
    public PageRef page() {
        return page;
    }

    /** Metadata of further pages, 0 to 3. */
    public PageRef extraPage(int i) {
        return extraPages[i];
    }

    /** Place in the Secure EPT. */
    public SeptCursor sept() {
        return sept;
    }

    /** Scratch for page contents; one page. */
    public byte[] buffer() {
        return buffer;
    }

    /** The TD; after {@link TdAccess} found it. */
    public Tdr tdr() {
        return java.util.Objects.requireNonNull(tdr);
    }

    void tdr(Tdr found) {
        if (tdr != found) {
            tdr = found;
        }
    }

    /** TD of the last call that found one, or null. It may be gone. */
    @Nullable Tdr lastTdr() {
        return tdr;
    }

    /** vCPU of the last call that found one, or null. It may be gone. */
    public @Nullable Tdvps lastVcpu() {
        return tdvps;
    }

    /** Metadata of the TDVPR of {@link #lastVcpu}. */
    PageRef vcpuPage() {
        return vcpuPage;
    }

    /** The locks on the way to the Secure EPT of {@link #lastTdr}. */
    LockPath tdPath() {
        return tdPath;
    }

    /** The locks on the way to {@link #lastVcpu}. */
    LockPath vcpuPath() {
        return vcpuPath;
    }

    /** The TD's control structure; after {@link TdAccess#checkState}. */
    public Tdcs tdcs() {
        return java.util.Objects.requireNonNull(tdcs);
    }

    void tdcs(Tdcs found) {
        if (tdcs != found) {
            tdcs = found;
        }
    }

    /** The vCPU; after {@link TdAccess} found it. */
    public Tdvps tdvps() {
        return java.util.Objects.requireNonNull(tdvps);
    }

    void tdvps(Tdvps found) {
        if (tdvps != found) {
            tdvps = found;
        }
    }
}
