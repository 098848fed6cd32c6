// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.core;

import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.SparsePages;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.seam.key.CacheWriteBack;
import dev.seamlab.seam.key.KeyOwnership;
import dev.seamlab.seam.lock.HeldLocks;
import dev.seamlab.seam.pamt.Pamt;
import dev.seamlab.seam.td.Tdr;
import dev.seamlab.seam.td.Tdvps;
import java.util.List;

/**
 * The module's global data (facts: module ABI sections 1.1, 4 and 7.4).
 *
 * <pre>
 *   word                 guarded by
 *   sys state            global lock
 *   configured packages  global lock
 *   initialised CPUs     each CPU writes its own word
 *   busy CPUs            each CPU writes its own word
 *   TDs being built      atomic
 *   PAMT                 set once by SYS.CONFIG under the global lock
 * </pre>
 */
public final class ModuleState {
    /** Index of the global lock in {@link #locks}. */
    public static final int GLOBAL_LOCK = 0;

    /** Index of the lock of a package's key programming port in {@link #locks}, plus package. */
    public static final int KEY_PORT_LOCK = 16;

    /** The host wants no record of a fatal error. */
    public static final long NO_RECORD = -1;

    private static final int TD_SERIAL = 48;
    private static final int TDS_BEING_BUILT = 56;
    private static final int BUSY_SPACING = 16;
    private static final int SYS_STATE = 16;
    private static final SysState[] STATES = SysState.values();
    private static final int READY = SysState.READY.ordinal();

    private final Machine machine;
    private final MachineProfile profile;
    private final PhysicalMemory memory;
    private final AddressRules addresses;
    private final InterruptModel interrupts;
    private final Call[] calls;
    private final KeyOwnership keys;
    private final CacheWriteBack[] writeBack;
    private final SparsePages<Tdr> tds = new SparsePages<>();
    private final SparsePages<Tdvps> vcpus = new SparsePages<>();
    private final long[] locks = new long[64];
    private final int[] words = new int[32];
    private final int[] initialisedCpus;

    // One word per CPU, a cache line apart: each CPU writes its own on every call.
    private final int[] busyCpus;
    private volatile Pamt pamt = new Pamt(List.of(), false);

    // guarded by the global lock
    private @Hpa long fatalErrorRecord = NO_RECORD;
    private int globalHkid;
    private long configuredPackages;

    /** No long leaf is ever interrupted. */
    public ModuleState(Machine machine) {
        this(machine, InterruptModel.NEVER);
    }

    public ModuleState(Machine machine, InterruptModel interrupts) {
        this.machine = machine;
        this.interrupts = interrupts;
        this.profile = machine.profile();
        this.memory = machine.memory();
        this.addresses = new AddressRules(profile);
        this.keys = new KeyOwnership(profile.keyIds());
        this.calls = new Call[profile.cpus()];
        HeldLocks[] locksOfCpus = HeldLocks.ofCpus(calls.length);
        for (int i = 0; i < calls.length; i++) {
            calls[i] = new Call(machine.cpus().get(i), locksOfCpus[i]);
        }
        this.initialisedCpus = new int[calls.length];
        this.busyCpus = new int[BUSY_SPACING * (calls.length + 1)];
        this.writeBack = new CacheWriteBack[profile.packages()];
        for (int i = 0; i < writeBack.length; i++) {
            writeBack[i] = new CacheWriteBack();
        }
    }

    /** The hardware. */
    public Machine machine() {
        return machine;
    }

    /** What the hardware and the module are. */
    public MachineProfile profile() {
        return profile;
    }

    /** Contents of memory. */
    public PhysicalMemory memory() {
        return memory;
    }

    /** What makes an address operand valid. */
    public AddressRules addresses() {
        return addresses;
    }

    /** Frame of a CPU's calls. */
    public Call call(int cpu) {
        return calls[cpu];
    }

    /** Words that hold the global locks. */
    public long[] locks() {
        return locks;
    }

    /** Where the module stands. */
    public SysState sysState() {
        return STATES[Cells.acquire(words, SYS_STATE)];
    }

    /** Whether the module serves all leaves: it is neither being brought up nor shut down. */
    public boolean isReady() {
        return Cells.acquire(words, SYS_STATE) == READY;
    }

    /** Moves on. */
    public void sysState(SysState next) {
        Cells.release(words, SYS_STATE, next.ordinal());
    }

    /** Where the host wants a fatal error recorded, or {@link #NO_RECORD}. */
    public @Hpa long fatalErrorRecord() {
        return fatalErrorRecord;
    }

    /** SYS.INIT said where. */
    public void fatalErrorRecord(@Hpa long address) {
        fatalErrorRecord = address;
    }

    /** Whether SYS.LP.INIT ran on a CPU. */
    public boolean isInitialised(int cpu) {
        return Cells.acquire(initialisedCpus, cpu) != 0;
    }

    /** SYS.LP.INIT ran on a CPU. */
    public void initialised(int cpu) {
        Cells.release(initialisedCpus, cpu, 1);
    }

    /** Whether SYS.LP.INIT ran on every CPU of the machine. */
    public boolean allCpusInitialised() {
        for (int cpu = 0; cpu < initialisedCpus.length; cpu++) {
            if (!isInitialised(cpu)) {
                return false;
            }
        }
        return true;
    }

    /** What can stop a long leaf. */
    public InterruptModel interrupts() {
        return interrupts;
    }

    /** A call begins on a CPU. */
    public void enter(int cpu) {
        Cells.release(busyCpus, BUSY_SPACING * (cpu + 1), 1);
    }

    /** The call on a CPU is over. */
    public void leave(int cpu) {
        Cells.release(busyCpus, BUSY_SPACING * (cpu + 1), 0);
    }

    /** Whether a CPU other than this one is inside the module or in a guest. */
    public boolean isOtherCpuInside(int cpu) {
        for (int other = 0; other < calls.length; other++) {
            if (other != cpu && Cells.acquire(busyCpus, BUSY_SPACING * (other + 1)) != 0) {
                return true;
            }
        }
        return false;
    }

    /** TDs between MNG.INIT and MR.FINALIZE, whose measurement is under way. */
    public int tdsBeingBuilt() {
        return (int) Cells.acquire(locks, TDS_BEING_BUILT);
    }

    /** A TD's build begins (1) or ends (-1). */
    public void addTdsBeingBuilt(int delta) {
        long before = Cells.getAndAdd(locks, TDS_BEING_BUILT, delta);
        assert before + delta >= 0 : "more builds ended than began";
    }

    /** A bit for each package. */
    public long allPackages() {
        return (1L << profile.packages()) - 1;
    }

    /** Packages on which SYS.KEY.CONFIG ran, a bit each. */
    public long configuredPackages() {
        return configuredPackages;
    }

    /** SYS.KEY.CONFIG ran on a package. */
    public void configurePackage(int packageIndex) {
        configuredPackages |= 1L << packageIndex;
    }

    /** KeyID of the module's own data. */
    public int globalHkid() {
        return globalHkid;
    }

    /** Sets the KeyID of the module's own data. */
    public void globalHkid(int hkid) {
        globalHkid = hkid;
    }

    /** Who has which KeyID. */
    public KeyOwnership keys() {
        return keys;
    }

    /** Cache write-back of a package. */
    public CacheWriteBack writeBack(int packageIndex) {
        return writeBack[packageIndex];
    }

    /** Metadata of the regions; empty before SYS.CONFIG. */
    public Pamt pamt() {
        return pamt;
    }

    /** Sets the regions; SYS.CONFIG. */
    public void pamt(Pamt configured) {
        pamt = configured;
    }

    /** A number for the next TD. */
    public long nextTdSerial() {
        return Cells.getAndAdd(locks, TD_SERIAL, 1);
    }

    /** TDs by TDR page. */
    public SparsePages<Tdr> tds() {
        return tds;
    }

    /** vCPUs by TDVPR page. */
    public SparsePages<Tdvps> vcpus() {
        return vcpus;
    }
}
