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

    private static final int NO_SUBLEAF = -1;

    private final CpuidList cpuid;
    private long attributes;
    private long xfam;

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

    /** CPUID leaves with the bits that user space may set. */
    public CpuidList cpuid() {
        return cpuid;
    }

    void fill(SystemInfo info) {
        attributes = supportedAttributes(info);
        xfam = supportedXfam(info);
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
