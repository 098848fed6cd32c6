// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.td;

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

    private volatile long tdCtls;
    private volatile long notifyEnables;
    private volatile long hpLockTimeout = 1_000_000;
    private volatile long featureParavirtCtls;
    private volatile boolean topologyEnumConfigured;
    private volatile boolean veReductionValid;

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

    /** HP_LOCK_TIMEOUT in microseconds. */
    public long hpLockTimeout() {
        return hpLockTimeout;
    }

    public void hpLockTimeout(long micros) {
        hpLockTimeout = micros;
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
