// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.td;

import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.seam.abi.VcpuState;

/**
 * TDVPS: the control structure of a vCPU, TDVPR and TDCX pages (facts: module ABI sections 6.5 and
 * 7.3). Written under the exclusive lock of the TDVPR's PAMT entry or, while the vCPU runs, by the
 * logical CPU that runs it. State and association are words, because other CPUs look at them with
 * the TDVPR shared.
 */
public final class Tdvps {
    /** Pages that a vCPU can have: 6, and three for each L2 VM. */
    public static final int MAX_PAGES = 15;

    /** Association with no logical CPU. */
    public static final int NOT_ASSOCIATED = -1;

    private static final int STATE = 16;
    private static final int ASSOCIATED_CPU = 17;

    private static final VcpuState[] STATES = VcpuState.values();

    private final Tdr tdr;
    private final @Hpa long[] pages = new long[MAX_PAGES];
    private int pageCount = 1;
    private boolean gone;
    private int index;
    private final int[] words = new int[32];

    /** Registers of the guest while it does not run. */
    private final Registers gprs = new Registers();

    private final VcpuContext context = new VcpuContext();

    public Tdvps(@Hpa long tdvpr, Tdr tdr) {
        this.tdr = tdr;
        pages[0] = tdvpr;
        words[ASSOCIATED_CPU] = NOT_ASSOCIATED;
    }

    /** The TDVPR page. */
    public @Hpa long hpa() {
        return pages[0];
    }

    /** Page frame of the TDVPR. */
    public @Pfn long pfn() {
        return pages[0] >>> 12;
    }

    /** The TD. */
    public Tdr tdr() {
        return tdr;
    }

    /** Pages so far, the TDVPR included. */
    public int pageCount() {
        return pageCount;
    }

    /** Page {@code i}, 0 being the TDVPR. */
    public @Hpa long page(int i) {
        return pages[i];
    }

    /** Adds a TDCX page. */
    public void addPage(@Hpa long page) {
        pages[pageCount] = page;
        pageCount++;
    }

    /** State. */
    public VcpuState state() {
        return STATES[Cells.acquire(words, STATE)];
    }

    /** Changes the state. */
    public void state(VcpuState next) {
        Cells.release(words, STATE, next.ordinal());
    }

    /** Changes the state if it is the expected one; decides between two CPUs that enter. */
    public boolean state(VcpuState expected, VcpuState next) {
        return Cells.cas(words, STATE, expected.ordinal(), next.ordinal());
    }

    /** Index of the vCPU in its TD. */
    public int index() {
        return index;
    }

    /** Sets the index; VP.INIT. */
    public void index(int number) {
        index = number;
    }

    /** Logical CPU that may hold state of the vCPU, or {@link #NOT_ASSOCIATED}. */
    public int associatedCpu() {
        return Cells.acquire(words, ASSOCIATED_CPU);
    }

    /** Associates with a CPU if with none. */
    public boolean associate(int cpu) {
        return Cells.cas(words, ASSOCIATED_CPU, NOT_ASSOCIATED, cpu);
    }

    /** Ends the association. */
    public void dissociate() {
        Cells.release(words, ASSOCIATED_CPU, NOT_ASSOCIATED);
    }

    /** Whether the TDVPR page was reclaimed; for those who remember a vCPU from an earlier call. */
    public boolean isGone() {
        return gone;
    }

    /** The TDVPR page was reclaimed; with the page exclusive. */
    public void setGone() {
        gone = true;
    }

    /** General-purpose registers of the guest. */
    public Registers gprs() {
        return gprs;
    }

    /** The rest of what the guest left behind. */
    public VcpuContext context() {
        return context;
    }
}
