// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.td;

import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.seam.abi.LifecycleState;
import org.jspecify.annotations.Nullable;

/**
 * TDR: the root page of a TD (facts: module ABI sections 6.4 and 7.1). Written under the exclusive
 * lock of the page's PAMT entry, except where a method says otherwise.
 */
public final class Tdr {
    /** TDCX pages that a TD can have: 6, and one for each L2 VM. */
    public static final int MAX_TDCX = 9;

    private static final int CHILD_COUNT = 16;

    private final @Hpa long hpa;
    private final int hkid;
    private final long hkidBits;
    private final long[] uuid;
    private final @Hpa long[] tdcx = new long[MAX_TDCX];
    private int tdcxCount;
    private LifecycleState lifecycle = LifecycleState.HKID_ASSIGNED;
    private boolean fatal;
    private boolean gone;
    private long configuredPackages;

    // Counted by leaves that hold the TDR shared, hence atomic and off the object's cache line.
    private final long[] counters = new long[32];
    private final CpuCounter childrenByCpu;

    // Set with the last of the TDCX pages that the minimum asks for.
    private @Nullable Tdcs tdcs;

    /**
     * A TD that has its page and its KeyID.
     *
     * @param addressBits width of an address without KeyID
     */
    public Tdr(@Hpa long hpa, int hkid, int addressBits, long[] uuid, int cpus) {
        this.childrenByCpu = new CpuCounter(cpus);
        this.hpa = hpa;
        this.hkid = hkid;
        this.hkidBits = (long) hkid << addressBits;
        this.uuid = uuid.clone();
    }

    /** The page. */
    public @Hpa long hpa() {
        return hpa;
    }

    /** Page frame: the owner field of every page of the TD. */
    public @Pfn long pfn() {
        return hpa >>> 12;
    }

    /** KeyID; means nothing once the lifecycle is TEARDOWN. */
    public int hkid() {
        return hkid;
    }

    /** An address as the CPU uses it for this TD: with the KeyID. */
    public long withHkid(@Hpa long address) {
        return address | hkidBits;
    }

    /** Element 0 to 3 of TD_UUID. */
    public long uuid(int element) {
        return uuid[element];
    }

    /** Where the key stands. */
    public LifecycleState lifecycle() {
        return lifecycle;
    }

    /** Moves on; the states follow each other, BLOCKED also directly after HKID_ASSIGNED. */
    public void lifecycle(LifecycleState next) {
        assert next.ordinal() > lifecycle.ordinal() : lifecycle + " to " + next;
        lifecycle = next;
    }

    /** Whether the TD is beyond repair. */
    public boolean isFatal() {
        return fatal;
    }

    /** Marks the TD as beyond repair; by a TD exit, without a lock. */
    public void setFatal() {
        fatal = true;
    }

    /** Whether the TDR page was reclaimed; for those who remember a TD from an earlier call. */
    public boolean isGone() {
        return gone;
    }

    /**
     * The TDR page was reclaimed. Calls that found this TD may go on to remember it for as long as
     * they like; its Secure EPT, whose pages were all reclaimed before, must not stay with it.
     */
    public void setGone() {
        gone = true;
        if (tdcs != null) {
            tdcs.septRoot().letGo();
        }
    }

    /** Bit per package on which the key is programmed. */
    public long configuredPackages() {
        return configuredPackages;
    }

    /** Notes that the key is programmed on a package. */
    public void configurePackage(int packageIndex) {
        configuredPackages |= 1L << packageIndex;
    }

    /** Number of TDCX pages. */
    public int tdcxCount() {
        return tdcxCount;
    }

    /** TDCX page {@code index}, or 0. */
    public @Hpa long tdcx(int index) {
        return tdcx[index];
    }

    /** Adds a TDCX page. */
    public void addTdcx(@Hpa long page) {
        tdcx[tdcxCount] = page;
        tdcxCount++;
    }

    /** The control structure, or null while pages are missing. */
    public @Nullable Tdcs tdcs() {
        return tdcs;
    }

    /** Sets the control structure up. */
    public void tdcs(Tdcs complete) {
        tdcs = complete;
    }

    /** CHLDCNT: 4K units of every page owned by the TD, the TDR not counted. */
    public long children() {
        return Cells.acquire(counters, CHILD_COUNT) + childrenByCpu.sum();
    }

    /** Changes CHLDCNT; needs the TDR shared only. */
    public void addChildren(long pages) {
        Cells.getAndAdd(counters, CHILD_COUNT, pages);
    }

    /** The same for leaves of the fault path: without a word that all CPUs write. */
    public void addChildren(LogicalCpu cpu, long pages) {
        childrenByCpu.add(cpu.index(), pages);
    }
}
