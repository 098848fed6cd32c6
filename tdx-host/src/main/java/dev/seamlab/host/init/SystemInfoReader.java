// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.init;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.init.SystemInfo.CpuidConfig;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.tdh.SysLeaves;
import dev.seamlab.seam.abi.GlobalField;
import dev.seamlab.seam.abi.Status;
import java.util.ArrayList;
import java.util.List;

/** Reads the global metadata with SYS.RD, one field a call. */
public final class SystemInfoReader {
    private final SysLeaves sys;
    private final HostCpu cpu;

    /**
     * @param cpu a claimed CPU on which LP.INIT has run
     */
    public SystemInfoReader(SysLeaves sys, HostCpu cpu) {
        this.sys = sys;
        this.cpu = cpu;
    }

    /**
     * Reads everything that Linux reads.
     *
     * @throws TdxInitException EIO where a field cannot be read; EINVAL where the module changes
     *     RBP
     */
    public SystemInfo read() throws TdxInitException {
        long features0 = field(GlobalField.TDX_FEATURES0);
        SystemInfo info =
                new SystemInfo(
                        (int) field(GlobalField.MAJOR_VERSION),
                        (int) field(GlobalField.MINOR_VERSION),
                        (int) field(GlobalField.UPDATE_VERSION),
                        features0,
                        (int) field(GlobalField.MAX_TDMRS),
                        (int) field(GlobalField.MAX_RESERVED_PER_TDMR),
                        pamtSizes(features0),
                        (int) field(GlobalField.TDR_BASE_SIZE),
                        (int) field(GlobalField.TDCS_BASE_SIZE),
                        (int) field(GlobalField.TDVPS_BASE_SIZE),
                        field(GlobalField.ATTRIBUTES_FIXED0),
                        field(GlobalField.ATTRIBUTES_FIXED1),
                        field(GlobalField.XFAM_FIXED0),
                        field(GlobalField.XFAM_FIXED1),
                        (int) field(GlobalField.MAX_VCPUS_PER_TD),
                        cpuidConfig());
        if (!info.preservesRbp()) {
            throw new TdxInitException(
                    InitStep.METADATA,
                    Errno.EINVAL,
                    "module " + info.version() + " does not have the feature NO_RBP_MOD",
                    "frame pointer (RBP) clobber bug present, upgrade TDX module");
        }
        return info;
    }

    private PamtSizes pamtSizes(long features0) throws TdxInitException {
        // Only where the feature bit is set: an older module answers "not readable", which would
        // end bring-up. Where it is set, not being able to read the field does.
        boolean dynamic = SystemInfo.offersDynamicPamt(features0);
        return new PamtSizes(
                (int) field(GlobalField.PAMT_4K_ENTRY_SIZE),
                (int) field(GlobalField.PAMT_2M_ENTRY_SIZE),
                (int) field(GlobalField.PAMT_1G_ENTRY_SIZE),
                dynamic ? (int) field(GlobalField.PAMT_PAGE_BITMAP_ENTRY_BITS) : 0);
    }

    private List<CpuidConfig> cpuidConfig() throws TdxInitException {
        int count = (int) field(GlobalField.NUM_CPUID_CONFIG);
        List<CpuidConfig> list = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            long leaf = field(GlobalField.CPUID_CONFIG_LEAVES, i);
            long low = field(GlobalField.CPUID_CONFIG_VALUES, 2 * i);
            long high = field(GlobalField.CPUID_CONFIG_VALUES, 2 * i + 1);
            list.add(
                    new CpuidConfig(
                            (int) leaf,
                            (int) (leaf >>> 32),
                            (int) low,
                            (int) (low >>> 32),
                            (int) high,
                            (int) (high >>> 32)));
        }
        return list;
    }

    private long field(GlobalField field) throws TdxInitException {
        return field(field, 0);
    }

    private long field(GlobalField field, int element) throws TdxInitException {
        long status = sys.rd(cpu, field.id(element));
        if (status != Status.SUCCESS) {
            throw new TdxInitException(
                    InitStep.METADATA, Errno.EIO, "reading " + field + " failed", status);
        }
        return cpu.regs().r8();
    }
}
