// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import dev.seamlab.seam.td.TdConfig;

/**
 * VMX controls of a TD: what VP.INIT writes to the VMCS, and the VMX capability MSRs that a TD sees
 * as the hypervisor of its L2 VMs (module 1.5.25).
 *
 * <p>The constants of each control are the module's: bits it sets, bits it lets a TD's hypervisor
 * change. Bits that the CPU demands come on top; the emulated CPU demands what every part with
 * "true" controls does, and allows everything that the module needs. CR4 has the bits of a Sapphire
 * Rapids, which is a choice of this model.
 */
final class VmxControls {
    /** Bit of the pin-based controls that a host may set: process posted interrupts. */
    static final long PROCESS_POSTED_INTERRUPTS = 1 << 7;

    /** Bit of the secondary processor-based controls: page modification logging. */
    static final long ENABLE_PML = 1 << 17;

    /** Secondary processor-based controls that the CPU can set. */
    static final long SECONDARY_ALLOWED = 0xDFFF_FFFFL;

    static final long CR0_FIXED0 = 0x8000_0021L;
    static final long CR0_FIXED1 = 0xFFFF_FFFFL;
    static final long CR4_FIXED0 = 0x2000L;
    static final long CR4_FIXED1 = 0x03F7_7FFFL;

    private static final long PIN_BASED = 0x29 | 0x16;
    private static final long PRIMARY = 0x9122_0088L | 0x0400_6172L;
    private static final long SECONDARY = 0x133C_B3FAL;
    private static final long EXIT = 0x1F3C_9204L | 0x0003_6DFBL;
    private static final long ENTRY = 0x003E_E004L | 0x0000_11FBL;
    private static final long SECONDARY_L2 = 0x1338_B3FAL;

    private static final long PRIMARY_BY_GUEST = 0x48D9_9A04L;
    private static final long SECONDARY_BY_GUEST = 0x0C51_3E0CL;
    private static final long TERTIARY_BY_GUEST = 0xE;
    private static final long ENTRY_BY_GUEST = 0x200;
    private static final long CR0_BY_GUEST = 0x8005_001FL;
    private static final long CR4_BY_GUEST = 0x1BFF_1FBFL;
    private static final long CR0_INITIAL = 0x21;
    private static final long CR4_INITIAL = 0x2040;

    /** CR0 bits that never are the guest's: PE, NE, NW, CD and reserved ones. */
    private static final long CR0_OWNED =
            1L | 1 << 5 | 1 << 29 | 1 << 30 | -1L << 32 | 0x3FFL << 19 | 1 << 17 | 0x3FFL << 6;

    private static final long MWAIT_EXITING = 1 << 10;
    private static final long RDPMC_EXITING = 1 << 11;
    private static final long MONITOR_EXITING = 1 << 29;
    private static final long WAIT_AND_PAUSE = 1 << 26;
    private static final long PCONFIG = 1 << 27;
    private static final long EXIT_LOAD_PERF = 1 << 12;
    private static final long EXIT_SAVE_PERF = 1 << 30;
    private static final long ENTRY_LOAD_PERF = 1 << 13;
    private static final long ENTRY_LOAD_PKRS = 1 << 22;
    private static final long GPA_WIDTH = 1 << 5;
    private static final long VIRTUAL_SPEC_CTRL = 1 << 7;
    private static final long SPEC_CTRL_DDPD_U = 1 << 8;

    private static final int PKS = 30;
    private static final int PERFMON = 63;

    private final TdConfig config;
    private final TdCpuid cpuid;
    private final boolean hasPerfmon;
    private final boolean counts;
    private final boolean hasPks;

    VmxControls(TdConfig config, TdCpuid cpuid) {
        this.config = config;
        this.cpuid = cpuid;
        this.hasPerfmon = attribute(PERFMON);
        this.counts = hasPerfmon || config.isDebug();
        this.hasPks = attribute(PKS);
    }

    // The VMCS.

    long pinBased() {
        return PIN_BASED;
    }

    long primary() {
        return primaryOf(PRIMARY);
    }

    long secondary() {
        return secondaryOf(SECONDARY);
    }

    /** The secondary controls before the TD's configuration. */
    long secondaryOfModule() {
        return SECONDARY | WAIT_AND_PAUSE;
    }

    long tertiary() {
        long width = (config.configFlags() & TdConfig.FLAG_GPAW) != 0 ? GPA_WIDTH : 0;
        // The CPU has the control over the prefetcher; a TD that does not know of it is shielded.
        return cpuid.hasDdpd() ? width : width | VIRTUAL_SPEC_CTRL;
    }

    long exit() {
        return with(EXIT, EXIT_SAVE_PERF, counts);
    }

    long entry() {
        return with(ENTRY, ENTRY_LOAD_PKRS, hasPks || config.isDebug());
    }

    long cr0Mask() {
        return ((CR0_FIXED0 | ~CR0_FIXED1) & ~(1L << 31)) | CR0_OWNED;
    }

    long cr0Shadow() {
        return CR0_FIXED0 | 0x21;
    }

    long cr4Mask() {
        long mask = CR4_FIXED0 | ~CR4_FIXED1;
        mask |= 1 << 6 | 1 << 13 | 1 << 14 | 1 << 15 | 1L << 26 | 7L << 29 | -1L << 33;
        mask = with(mask, 1 << 22, (mask & 1 << 22) != 0 || !xfam(9));
        mask = with(mask, 1 << 23, (mask & 1 << 23) != 0 || !(xfam(11) && xfam(12)));
        mask = with(mask, 1 << 25, (mask & 1 << 25) != 0 || !xfam(14));
        mask |= 1 << 19;
        mask = with(mask, 1 << 24, (mask & 1 << 24) != 0 || !hasPks);
        return mask | 1 << 27;
    }

    /** MCE; VMXE, the one bit that the CPU demands, is hidden. */
    long cr4Shadow() {
        return 1 << 6;
    }

    /** IA32_PERF_GLOBAL_CTRL at VP.INIT. */
    long perfGlobalControl() {
        return hasPerfmon ? 0xFF : 0x1_0000_0000L;
    }

    /** IA32_SPEC_CTRL at VP.INIT, as the CPU has it while the TD runs. */
    long specControl() {
        return cpuid.hasDdpd() ? 0 : SPEC_CTRL_DDPD_U;
    }

    /** IA32_SPEC_CTRL with the bit that is forced on a TD that does not know of it. */
    long realSpecControl(long value) {
        return cpuid.hasDdpd() ? value : value | SPEC_CTRL_DDPD_U;
    }

    /** IA32_SPEC_CTRL as the guest sees it. */
    long virtualSpecControl(long value) {
        return cpuid.hasDdpd() ? value : value & ~SPEC_CTRL_DDPD_U;
    }

    /** IA32_MISC_ENABLE at VP.INIT: fast strings, and what CPUID and ATTRIBUTES give. */
    long miscEnable() {
        long value = 1;
        value = with(value, 1 << 7, hasPerfmon);
        value = with(value, 1 << 11, true);
        value = with(value, 1 << 12, !hasPerfmon);
        value = with(value, 1 << 16, cpuid.hasSpeedStep());
        return with(value, 1 << 18, cpuid.hasMonitor());
    }

    // L2 VMs.

    long l2Cr0Mask() {
        return cr0Mask() & ~1L;
    }

    long l2Cr0Shadow() {
        return 0x20;
    }

    long l2Cr4Mask() {
        return ~cr4ByGuest();
    }

    long l2Cr4Shadow() {
        return CR4_FIXED0 | 1 << 6 | 1 << 13;
    }

    /** VIRTUAL_IA32_VMX_* by MSR number; 0 for one that the TD does not have. */
    long capability(int msr) {
        return switch (msr) {
            case 0x480 -> 7L << 54;
            case 0x485 -> 0x6004_40E0L;
            case 0x486 -> CR0_INITIAL & ~CR0_BY_GUEST;
            case 0x487 -> CR0_INITIAL | CR0_BY_GUEST;
            case 0x488 -> CR4_INITIAL & ~cr4ByGuest();
            case 0x489 -> CR4_INITIAL | cr4ByGuest();
            case 0x48B -> {
                long mask = SECONDARY_BY_GUEST;
                mask = with(mask, WAIT_AND_PAUSE, cpuid.hasWaitPackage());
                mask = with(mask, PCONFIG, cpuid.hasPconfig());
                yield allowed(secondaryOf(SECONDARY_L2), mask);
            }
            case 0x48C -> with(0x43_0001L, 1 << 23, xfam(12));
            case 0x48D -> allowed(PIN_BASED, 0);
            case 0x48E ->
                    allowed(primaryOf(PRIMARY), with(PRIMARY_BY_GUEST, RDPMC_EXITING, hasPerfmon));
            case 0x48F -> allowed(with(EXIT, EXIT_LOAD_PERF | EXIT_SAVE_PERF, counts), 0);
            case 0x490 -> {
                long entry = with(ENTRY, ENTRY_LOAD_PERF, counts);
                entry = with(entry, ENTRY_LOAD_PKRS, hasPks || config.isDebug());
                yield allowed(entry, ENTRY_BY_GUEST);
            }
            case 0x492 -> TERTIARY_BY_GUEST;
            default -> 0;
        };
    }

    private long cr4ByGuest() {
        long mask = CR4_BY_GUEST & ~CR4_FIXED0 & CR4_FIXED1;
        mask = with(mask, 1 << 22, (mask & 1 << 22) != 0 && xfam(9));
        mask = with(mask, 1 << 23, (mask & 1 << 23) != 0 && xfam(11) && xfam(12));
        mask = with(mask, 1 << 25, (mask & 1 << 25) != 0 && xfam(14));
        mask = with(mask, 1 << 24, (mask & 1 << 24) != 0 && hasPks);
        return mask & ~(1 << 19 | 1 << 27);
    }

    private long primaryOf(long base) {
        long value = with(base, MWAIT_EXITING | MONITOR_EXITING, !cpuid.hasMonitor());
        return with(value, RDPMC_EXITING, !hasPerfmon);
    }

    private long secondaryOf(long base) {
        return with(
                with(base, WAIT_AND_PAUSE, cpuid.hasWaitPackage()), PCONFIG, cpuid.hasPconfig());
    }

    /** A capability MSR: bits that must be set, and in the upper half bits that may be. */
    private static long allowed(long value, long changeable) {
        return (value & ~changeable) | (value | changeable) << 32;
    }

    private static long with(long value, long bits, boolean set) {
        return set ? value | bits : value & ~bits;
    }

    private boolean xfam(int bit) {
        return (config.xfam() >>> bit & 1) != 0;
    }

    private boolean attribute(int bit) {
        return (config.attributes() >>> bit & 1) != 0;
    }
}
