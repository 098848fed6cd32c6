// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.td;

import dev.seamlab.machine.sched.Cells;

/**
 * TDCS fields that host or guest may write while the TD lives (facts: module ABI section 6.4).
 * Word-sized and volatile: reader and writer need no common lock.
 */
public final class TdControls {
    /** TD_CTLS bit: an access to a pending page exits to the host instead of raising #VE. */
    public static final long PENDING_VE_DISABLE = 1;

    /** TD_CTLS bit: CPUID leaves 0xB and 0x1F report the topology that the host configured. */
    public static final long ENUM_TOPOLOGY = 1 << 1;

    /** TD_CTLS bit: CPUID leaf 2 is virtualised rather than #VE. */
    public static final long VIRT_CPUID2 = 1 << 2;

    /** TD_CTLS bit: fewer #VEs; implies the two above. */
    public static final long REDUCE_VE = 1 << 3;

    /** TD_CTLS bit: no further change. */
    public static final long LOCK = 1L << 63;

    /** VMs of a TD: L1 and three L2. */
    public static final int VMS = 4;

    private static final long DEFAULT_HP_LOCK_TIMEOUT_MICROS = 1_000_000;
    private static final long LOW_32_BITS = 0xFFFF_FFFFL;

    private volatile long tdCtls;
    private volatile long notifyEnables;
    private volatile long hpLockTicks = TimeStampCounter.ticks(DEFAULT_HP_LOCK_TIMEOUT_MICROS);
    private volatile long featureParavirtCtls;
    private volatile boolean topologyEnumConfigured;
    private volatile boolean veReductionValid;
    private final long[] vmCtls = new long[VMS];

    /** TD_CTLS. */
    public long tdCtls() {
        return tdCtls;
    }

    public void tdCtls(long value) {
        tdCtls = value;
    }

    /** NOTIFY_ENABLES. */
    public long notifyEnables() {
        return notifyEnables;
    }

    public void notifyEnables(long value) {
        notifyEnables = value;
    }

    /**
     * HP_LOCK_TIMEOUT in microseconds. The module keeps ticks, so that it reads back rounded down.
     */
    public long hpLockTimeout() {
        return TimeStampCounter.micros(hpLockTicks);
    }

    /**
     * Sets HP_LOCK_TIMEOUT. The module keeps 32 bits of ticks: what is longer (2.04 s at 2.1 GHz)
     * comes out shorter, as it does there.
     */
    public void hpLockTimeout(long micros) {
        hpLockTicks = TimeStampCounter.ticks(micros) & LOW_32_BITS;
    }

    /** VM_CTLS of a VM, 0 being L1. */
    public long vmCtls(int vm) {
        return Cells.acquire(vmCtls, vm);
    }

    public void vmCtls(int vm, long value) {
        Cells.release(vmCtls, vm, value);
    }

    /** FEATURE_PARAVIRT_CTLS. */
    public long featureParavirtCtls() {
        return featureParavirtCtls;
    }

    public void featureParavirtCtls(long value) {
        featureParavirtCtls = value;
    }

    /** TOPOLOGY_ENUM_CONFIGURED: every vCPU got an x2APIC id. */
    public boolean topologyEnumConfigured() {
        return topologyEnumConfigured;
    }

    public void topologyEnumConfigured(boolean value) {
        topologyEnumConfigured = value;
    }

    /** VE_REDUCTION_VALID. */
    public boolean veReductionValid() {
        return veReductionValid;
    }

    public void veReductionValid(boolean value) {
        veReductionValid = value;
    }
}
