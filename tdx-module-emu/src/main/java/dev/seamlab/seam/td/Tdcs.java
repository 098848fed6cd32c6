// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.td;

import dev.seamlab.machine.sched.Cells;
import dev.seamlab.seam.abi.OpState;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.lock.SharexLock;
import dev.seamlab.seam.sept.SeptTable;

/**
 * TDCS: the control structure of a TD in its TDCX pages (facts: module ABI sections 6.4 and 7.3).
 *
 * <p>{@link #config} and the measurements are written by MNG.INIT and the MR leaves under the
 * exclusive lock of the TDR and fixed afterwards. Counters are atomic. The locks stand in {@link
 * #locks}.
 */
public final class Tdcs {
    /** Lock on the operation state, with host priority. */
    public static final int OP_STATE_LOCK = 16;

    /** Lock on the Secure EPT tree, with host priority. */
    public static final int SEPT_TREE_LOCK = 32;

    /** Lock on the RTMRs, with host priority. */
    public static final int RTMR_LOCK = 48;

    /** Number of run-time measurement registers. */
    public static final int RTMRS = 4;

    private static final int OP_STATE = 16;
    private static final int VCPUS = 32;
    private static final int ASSOCIATED_VCPUS = 48;

    private static final OpState[] OP_STATES = OpState.values();

    private final long[] locks = new long[64];
    private final int[] counters = new int[64];
    private final TlbEpoch epoch;
    private final TdControls controls = new TdControls();
    private final Measurement measurement = new Measurement();
    private final byte[] mrtd = new byte[Measurement.BYTES];
    private final byte[][] rtmr = new byte[RTMRS][Measurement.BYTES];
    private final int[] x2apicIds;
    private final long rootHpa;
    private SeptTable root;
    private TdConfig config = TdConfig.NONE;
    private long tscMultiplier;
    private long tscOffset;

    // Whether the hash over TDINFO is that of the RTMRs as they are; guarded by RTMR_LOCK.
    private boolean teeInfoHashed;

    /**
     * @param rootHpa TDCX page that serves as root of the Secure EPT
     * @param maxVcpus limit of the module
     * @param cpus logical CPUs of the machine
     */
    public Tdcs(long rootHpa, int maxVcpus, int cpus) {
        this.epoch = new TlbEpoch(cpus);
        this.rootHpa = rootHpa;
        this.root = new SeptTable(rootHpa, PageInfo.LEVEL_512G);
        locks[OP_STATE_LOCK] = SharexLock.SLOTTED;
        locks[SEPT_TREE_LOCK] = SharexLock.SLOTTED;
        this.x2apicIds = new int[maxVcpus];
    }

    /** Words that hold the locks. */
    public long[] locks() {
        return locks;
    }

    /** Operation state. */
    public OpState opState() {
        return OP_STATES[Cells.acquire(counters, OP_STATE)];
    }

    /**
     * Whether the operation state is one of several.
     *
     * @param states bit 0 is the first of {@link OpState}, and so on
     */
    boolean isIn(int states) {
        return (states >>> Cells.acquire(counters, OP_STATE) & 1) != 0;
    }

    /** Changes the operation state; with the TDR exclusive. */
    public void opState(OpState next) {
        Cells.release(counters, OP_STATE, next.ordinal());
    }

    /** TLB tracking. */
    public TlbEpoch epoch() {
        return epoch;
    }

    /** What MNG.INIT fixed. */
    public TdConfig config() {
        return config;
    }

    /** Controls that change while the TD lives. */
    public TdControls controls() {
        return controls;
    }

    /** Takes the configuration over and prepares the root of the Secure EPT; MNG.INIT. */
    public void initialise(TdConfig accepted) {
        config = accepted;
        root = new SeptTable(rootHpa, accepted.septRootLevel());
        tscMultiplier = TimeStampCounter.multiplier(accepted.tscFrequency());
        tscOffset = TimeStampCounter.offsetForZero(TimeStampCounter.now(), tscMultiplier);
        controls.tdCtls(accepted.pendingVeDisabled() ? TdControls.PENDING_VE_DISABLE : 0);
        controls.topologyEnumConfigured(true);
        controls.veReductionValid(true);
        epoch.start();
        opState(OpState.INITIALIZED);
    }

    /** Root of the Secure EPT. */
    public SeptTable septRoot() {
        return root;
    }

    /** MRTD in the making. */
    public Measurement measurement() {
        return measurement;
    }

    /** MRTD; zero before MR.FINALIZE. The array is the register itself. */
    public byte[] mrtd() {
        return mrtd;
    }

    /** RTMR 0 to 3; guarded by {@link #RTMR_LOCK}. The array is the register itself. */
    public byte[] rtmr(int index) {
        return rtmr[index];
    }

    /** TSC_MULTIPLIER. */
    public long tscMultiplier() {
        return tscMultiplier;
    }

    /** TSC_OFFSET. */
    public long tscOffset() {
        return tscOffset;
    }

    /** Whether TEE_INFO_HASH is known, so that a report need not compute it again. */
    public boolean teeInfoHashed() {
        return teeInfoHashed;
    }

    /** TEE_INFO_HASH was computed, or an RTMR changed since. */
    public void teeInfoHashed(boolean known) {
        teeInfoHashed = known;
    }

    /** NUM_VCPUS. */
    public int vcpus() {
        return Cells.acquire(counters, VCPUS);
    }

    /** Changes NUM_VCPUS and returns the value before. */
    public int addVcpus(int delta) {
        return Cells.getAndAdd(counters, VCPUS, delta);
    }

    /** NUM_ASSOC_VCPUS: vCPUs whose state some logical CPU may hold. */
    public int associatedVcpus() {
        return Cells.acquire(counters, ASSOCIATED_VCPUS);
    }

    /** Changes NUM_ASSOC_VCPUS. */
    public void addAssociatedVcpus(int delta) {
        int before = Cells.getAndAdd(counters, ASSOCIATED_VCPUS, delta);
        assert before + delta >= 0 : "negative NUM_ASSOC_VCPUS";
    }

    /** x2APIC id of a vCPU; 0 where VP.INIT got none. */
    public int x2apicId(int vcpu) {
        return x2apicIds[vcpu];
    }

    /** Sets the x2APIC id of a vCPU; with the TDR exclusive. */
    public void x2apicId(int vcpu, int id) {
        x2apicIds[vcpu] = id;
    }
}
