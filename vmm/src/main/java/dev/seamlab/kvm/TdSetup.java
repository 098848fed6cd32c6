// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.init.SystemInfo;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.seam.abi.TdParams;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** TD_PARAMS from what user space wants (setup_tdparams), with KVM's own checks. */
final class TdSetup {
    /** TSC of the guest, in units of 25 MHz: 2 GHz. */
    private static final int TSC_FREQUENCY = 80;

    private static final int FEATURES_LEAF = 7;
    private static final int TSX = 1 << 4 | 1 << 11;
    private static final int WAITPKG = 1 << 5;

    private final InitVm wanted;
    private final SystemInfo info;
    private final int maxVcpus;
    private final int[][] cpuidValues;
    private int gpaWidth;

    TdSetup(InitVm wanted, SystemInfo info, int maxVcpus) {
        this.wanted = wanted;
        this.info = info;
        this.maxVcpus = maxVcpus;
        this.cpuidValues = new int[info.cpuidConfig().size()][];
    }

    /** Checks in the kernel's order. OK, EBUSY or EINVAL. */
    int check(int createdVcpus) {
        if (createdVcpus != 0) {
            return Errno.EBUSY;
        }
        if ((wanted.attributes() & ~Capabilities.supportedAttributes(info)) != 0
                || (wanted.xfam() & ~Capabilities.supportedXfam(info)) != 0) {
            return Errno.EINVAL;
        }
        CpuidEntry sizes = find(wanted.cpuid(), CpuidEntry.ADDRESS_SIZES, 0);
        if (sizes == null) {
            return Errno.EINVAL;
        }
        gpaWidth = sizes.guestPhysicalBits();
        if (gpaWidth != 48 && gpaWidth != 52) {
            return Errno.EINVAL;
        }
        return copyCpuid();
    }

    /**
     * Entries that have no place in TD_PARAMS would be lost without a word, so they are refused.
     */
    private int copyCpuid() {
        List<CpuidEntry> rows = Capabilities.configurable(info);
        int copied = 0;
        for (int i = 0; i < rows.size(); i++) {
            CpuidEntry entry = find(wanted.cpuid(), rows.get(i).function(), rows.get(i).index());
            if (entry == null) {
                continue;
            }
            if (isUnsupported(entry)) {
                return Errno.EINVAL;
            }
            copied++;
            CpuidEntry value =
                    entry.function() == CpuidEntry.ADDRESS_SIZES
                            ? entry.withGuestPhysicalBits(0)
                            : entry;
            cpuidValues[i] = new int[] {value.eax(), value.ebx(), value.ecx(), value.edx()};
        }
        return copied == wanted.cpuid().size() ? Errno.OK : Errno.EINVAL;
    }

    /** TSX and WAITPKG need MSRs that KVM does not switch for TDs. */
    private static boolean isUnsupported(CpuidEntry entry) {
        return entry.function() == FEATURES_LEAF
                && entry.index() == 0
                && ((entry.ebx() & TSX) != 0 || (entry.ecx() & WAITPKG) != 0);
    }

    private static @Nullable CpuidEntry find(List<CpuidEntry> list, int function, int index) {
        for (CpuidEntry entry : list) {
            if (entry.matches(function, index)) {
                return entry;
            }
        }
        return null;
    }

    /** What the TD will be: the module's fixed bits are added. After {@link #check}. */
    TdConfig config() {
        return new TdConfig(
                wanted.attributes() | info.attributesFixed1(),
                wanted.xfam() | info.xfamFixed1(),
                gpaWidth);
    }

    /** Writes TD_PARAMS; CPUID values that nobody asked for stay zero. */
    void write(PhysicalMemory memory, @Hpa long at) {
        TdConfig config = config();
        memory.zeroPage(at);
        memory.writeLong(at + TdParams.ATTRIBUTES, config.attributes());
        memory.writeLong(at + TdParams.XFAM, config.xfam());
        memory.writeShort(at + TdParams.MAX_VCPUS, maxVcpus);
        memory.writeLong(at + TdParams.EPTP_CONTROLS, TdParams.eptpControls(config.levels()));
        memory.writeLong(
                at + TdParams.CONFIG_FLAGS,
                TdParams.CONFIG_FLAG_NO_RBP_MOD | (gpaWidth == 52 ? TdParams.CONFIG_FLAG_GPAW : 0));
        memory.writeShort(at + TdParams.TSC_FREQUENCY, TSC_FREQUENCY);
        memory.write(at + TdParams.MRCONFIGID, wanted.mrConfigId(), 0, wanted.mrConfigId().length);
        memory.write(at + TdParams.MROWNER, wanted.mrOwner(), 0, wanted.mrOwner().length);
        memory.write(
                at + TdParams.MROWNERCONFIG,
                wanted.mrOwnerConfig(),
                0,
                wanted.mrOwnerConfig().length);
        for (int i = 0; i < cpuidValues.length; i++) {
            int[] value = cpuidValues[i];
            if (value != null) {
                long row = at + TdParams.CPUID_VALUES + (long) i * TdParams.CPUID_VALUE_BYTES;
                memory.writeLong(row, (value[0] & 0xFFFF_FFFFL) | ((long) value[1] << 32));
                memory.writeLong(row + 8, (value[2] & 0xFFFF_FFFFL) | ((long) value[3] << 32));
            }
        }
    }
}
