// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.init.SystemInfo;
import dev.seamlab.seam.abi.TdParams;
import java.util.ArrayList;
import java.util.List;

/** What KVM_TDX_CAPABILITIES answers (struct kvm_tdx_capabilities): what a TD may be given. */
public final class Capabilities {
    /**
     * Attributes that KVM lets a TD have. Mainline offers SEPT_VE_DISABLE alone; debug TDs, which
     * mainline does not, are offered here because the model lets users study them.
     */
    static final long KVM_ATTRIBUTES =
            TdParams.ATTRIBUTE_SEPT_VE_DISABLE | TdParams.ATTRIBUTE_DEBUG;

    /** Bit of GetTdVmCallInfo's R11, leaf 1: SetupEventNotifyInterrupt is served. */
    static final long SETUP_EVENT_NOTIFY_INTERRUPT = 1L << 1;

    /** KVM itself serves the base set alone, which no word of leaf 1 names. */
    private static final TdvmcallInfo KERNEL = TdvmcallInfo.NONE;

    /**
     * What KVM hands to user space beyond the base set. GetQuote goes there, too, but belongs to
     * the base set since mainline commit "KVM: TDX: Don't report base TDVMCALLs".
     */
    private static final TdvmcallInfo USER = new TdvmcallInfo(SETUP_EVENT_NOTIFY_INTERRUPT, 0);

    private static final int NO_SUBLEAF = -1;

    private final CpuidList cpuid;
    private long attributes;
    private long xfam;
    private TdvmcallInfo kernel = TdvmcallInfo.NONE;
    private TdvmcallInfo user = TdvmcallInfo.NONE;

    /**
     * TDVMCALLs as leaf 1 of GetTdVmCallInfo enumerates them.
     *
     * @param r11 hypercalls
     * @param r12 instructions that a TD may have emulated
     */
    public record TdvmcallInfo(long r11, long r12) {
        static final TdvmcallInfo NONE = new TdvmcallInfo(0, 0);
    }

    /**
     * @param room CPUID entries that fit
     */
    public Capabilities(int room) {
        this.cpuid = new CpuidList(room);
    }

    /** Attributes that a TD may have. */
    public long attributes() {
        return attributes;
    }

    /** Extended features that a TD may have. */
    public long xfam() {
        return xfam;
    }

    /** TDVMCALLs beyond the base set that KVM serves itself. */
    public TdvmcallInfo kernelTdvmcalls() {
        return kernel;
    }

    /** TDVMCALLs beyond the base set that KVM hands to user space, which may then offer them. */
    public TdvmcallInfo userTdvmcalls() {
        return user;
    }

    /** CPUID leaves with the bits that user space may set. */
    public CpuidList cpuid() {
        return cpuid;
    }

    void fill(SystemInfo info) {
        attributes = supportedAttributes(info);
        xfam = supportedXfam(info);
        kernel = KERNEL;
        user = USER;
        cpuid.fill(configurable(info));
    }

    /** 0 where the module demands an attribute that KVM does not know. */
    static long supportedAttributes(SystemInfo info) {
        return (KVM_ATTRIBUTES & info.attributesFixed1()) == info.attributesFixed1()
                ? KVM_ATTRIBUTES & info.attributesFixed0()
                : 0;
    }

    /** The model's KVM knows every feature, so the module alone decides. */
    static long supportedXfam(SystemInfo info) {
        return info.xfamFixed0();
    }

    /** The module's rows in the module's order, as KVM shows them. */
    static List<CpuidEntry> configurable(SystemInfo info) {
        List<CpuidEntry> list = new ArrayList<>();
        for (SystemInfo.CpuidConfig row : info.cpuidConfig()) {
            boolean indexed = row.subleaf() != NO_SUBLEAF;
            CpuidEntry entry =
                    new CpuidEntry(
                            row.leaf(),
                            indexed ? row.subleaf() : 0,
                            indexed,
                            row.eax(),
                            row.ebx(),
                            row.ecx(),
                            row.edx());
            // The module does not let these bits be set; KVM uses them to be told the width.
            list.add(
                    row.leaf() == CpuidEntry.ADDRESS_SIZES
                            ? entry.withGuestPhysicalBits(0xFF)
                            : entry);
        }
        return list;
    }
}
