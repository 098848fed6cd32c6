// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_NOT_WRITABLE;
import static dev.seamlab.seam.abi.StatusCode.METADATA_FIELD_VALUE_NOT_VALID;
import static dev.seamlab.seam.abi.StatusCode.TD_VMCS_FIELD_NOT_INITIALIZED;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.td.TdControls;
import dev.seamlab.seam.td.Tdcs;
import dev.seamlab.seam.td.Tdvps;
import java.util.function.LongPredicate;

/**
 * Fields of a vCPU as host or guest may see them, and what may be written to them (module 1.5.25).
 * Almost everything else than the posted-interrupt fields, the shared EPT pointer and PEND_NMI can
 * be written on debug TDs only.
 */
public final class VpView implements FieldView {
    private static final long NULL_ADDRESS = -1L;
    private static final long CACHE_LINE = 64;
    private static final int MAX_VECTOR = 255;

    private static final int REGISTER_CLASS = 0x10;

    private static final int EFER = 0x2806;
    private static final int CR0 = 0x6800;
    private static final int POSTED_INTERRUPT_VECTOR = 0x0002;
    private static final int POSTED_INTERRUPT_DESCRIPTOR = 0x2016;
    private static final int PML_ADDRESS = 0x200E;
    private static final int CR0_MASK = 0x6000;
    private static final int CR4_MASK = 0x6002;
    private static final int CR0_SHADOW = 0x6004;
    private static final int CR4_SHADOW = 0x6006;

    private static final long CR0_PG = 1L << 31;
    private static final long CR4_MCE = 1 << 6;
    private static final long EFER_LME = 1 << 8;
    private static final long EFER_LMA = 1 << 10;
    private static final long DEBUGCTL_TR = 1 << 6;
    private static final long DEBUGCTL_BTS = 1 << 7;
    private static final long DEBUGCTL_UNCORE_PMI = 1 << 13;
    private static final long CR3_LAM = 3L << 61;

    private static final long MISC_ENABLE_RESERVED = 0xFFFF_FFFF_FF3A_E776L;
    private static final long MISC_ENABLE_READ_ONLY = 1 << 7 | 1 << 11 | 1 << 12;
    private static final long MISC_ENABLE_SPEEDSTEP = 1 << 16;
    private static final long MISC_ENABLE_MONITOR = 1 << 18;
    private static final long MISC_ENABLE_LIMIT_CPUID = 1 << 22;
    private static final long MISC_ENABLE_XTPR = 1 << 23;

    private final Tdvps vcpu;
    private final Tdcs tdcs;
    private final FieldAccess access;
    private final LongPredicate isSharedHpa;

    private VpView(Tdvps vcpu, Tdcs tdcs, FieldAccess access, LongPredicate isSharedHpa) {
        this.vcpu = vcpu;
        this.tdcs = tdcs;
        this.access = access;
        this.isSharedHpa = isSharedHpa;
    }

    /**
     * As the host sees it, which of a debug TD is nearly all.
     *
     * @param isSharedHpa whether an address is one that the host may give away
     */
    public static VpView ofHost(Tdvps vcpu, Tdcs tdcs, LongPredicate isSharedHpa) {
        FieldAccess access = FieldAccess.ofHost(tdcs.config().isDebug());
        return new VpView(vcpu, tdcs, access, isSharedHpa);
    }

    /** As the vCPU sees itself. */
    public static VpView ofGuest(Tdvps vcpu, Tdcs tdcs) {
        return new VpView(vcpu, tdcs, FieldAccess.GUEST, hpa -> false);
    }

    @Override
    public FieldCatalog catalog() {
        return VpFields.CATALOG;
    }

    @Override
    public FieldAccess access() {
        return access;
    }

    @Override
    public long value(int row, int element) {
        return VpFields.value(row, vcpu, tdcs, element);
    }

    /**
     * A write of all bits starts from nothing, and one to an address that points nowhere from the
     * bits that can be written.
     */
    @Override
    public long base(int row, int element, boolean whole) {
        if (whole) {
            return 0;
        }
        FieldSpec spec = catalog().get(row);
        long current = value(row, element);
        return isAddress(spec) && current < 0 ? current & spec.writable(access) : current;
    }

    @Override
    public long store(int row, int element, long value, long written) {
        FieldSpec spec = catalog().get(row);
        if (isAddress(spec) && value != NULL_ADDRESS && !isSharedRange(spec, value)) {
            return METADATA_FIELD_VALUE_NOT_VALID.word();
        }
        return VpFields.isVmcs(spec)
                ? storeVmcs(row, element, value, written)
                : storeTdvps(row, element, value);
    }

    // The VMCS.

    private long storeVmcs(int row, int element, long value, long written) {
        return switch (catalog().get(row).name()) {
            case "GUEST_CR0" -> storeCr0(row, value);
            case "GUEST_CR3" -> isValidCr3(value) ? set(row, element, value) : refused();
            case "GUEST_CR4" -> storeCr4(row, value);
            case "IA32_EFER" -> set(row, element, withLongMode(value, vmcs(CR0)));
            case "IA32_DEBUGCTL" -> {
                // A production TD may not have TR without BTS; the uncore bit is the host's.
                boolean traps = (value & (DEBUGCTL_TR | DEBUGCTL_BTS)) == DEBUGCTL_TR;
                yield traps && !tdcs.config().isDebug()
                        ? refused()
                        : set(row, element, value & ~DEBUGCTL_UNCORE_PMI);
            }
            case "PIN_BASED_VM_EXECUTION_CONTROLS" -> storePinBased(row, value);
            case "POSTED_INTERRUPT_NOTIFICATION_VECTOR" ->
                    value >= 0 && value <= MAX_VECTOR ? set(row, element, value) : refused();
            case "SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS" ->
                    isValidSecondary(value, written) ? set(row, element, value) : refused();
            default -> set(row, element, value);
        };
    }

    /** Bits that the module or the CPU owns must stay as the guest sees them. */
    private long storeCr0(int row, long value) {
        long mask = vmcs(CR0_MASK);
        if (((value ^ vmcs(CR0_SHADOW)) & mask) != 0) {
            return refused();
        }
        long cr0 = (value(row, 0) & mask) | (value & ~mask);
        int efer = catalog().find(vmcsId(EFER));
        set(efer, 0, withLongMode(value(efer, 0), cr0));
        return set(row, 0, cr0);
    }

    /** As CR0; MCE is the guest's to see and always set in fact. */
    private long storeCr4(int row, long value) {
        int shadowRow = catalog().find(vmcsId(CR4_SHADOW));
        long shadow = (value(shadowRow, 0) & ~CR4_MCE) | (value & CR4_MCE);
        set(shadowRow, 0, shadow);
        long mask = vmcs(CR4_MASK) & ~CR4_MCE;
        long asked = value | CR4_MCE;
        if (((asked ^ (shadow | CR4_MCE)) & mask) != 0) {
            return refused();
        }
        return set(row, 0, (value(row, 0) & mask) | (asked & ~mask));
    }

    /** Posted interrupts need a vector and a descriptor first. */
    private long storePinBased(int row, long value) {
        if ((value & VmxControls.PROCESS_POSTED_INTERRUPTS) != 0) {
            if (vmcs(POSTED_INTERRUPT_VECTOR) > MAX_VECTOR) {
                return TD_VMCS_FIELD_NOT_INITIALIZED.withDetail(POSTED_INTERRUPT_VECTOR);
            }
            if (vmcs(POSTED_INTERRUPT_DESCRIPTOR) == NULL_ADDRESS) {
                return TD_VMCS_FIELD_NOT_INITIALIZED.withDetail(POSTED_INTERRUPT_DESCRIPTOR);
            }
        }
        return set(row, 0, value);
    }

    private boolean isValidSecondary(long value, long written) {
        boolean logs = (value & VmxControls.ENABLE_PML) != 0;
        boolean canLog = tdcs.config().isDebug() && vmcs(PML_ADDRESS) >= 0;
        return (value & written & ~VmxControls.SECONDARY_ALLOWED) == 0 && (!logs || canLog);
    }

    /** CR3 holds a private address; linear-address masking is allowed. */
    private boolean isValidCr3(long value) {
        return tdcs.config().isPrivate(value & ~CR3_LAM);
    }

    private static long withLongMode(long efer, long cr0) {
        boolean active = (efer & EFER_LME) != 0 && (cr0 & CR0_PG) != 0;
        return active ? efer | EFER_LMA : efer & ~EFER_LMA;
    }

    private long vmcs(int encoding) {
        return VpFields.value(vmcsId(encoding), vcpu, tdcs);
    }

    private static long vmcsId(int encoding) {
        return encoding;
    }

    // The rest of TDVPS.

    private long storeTdvps(int row, int element, long value) {
        FieldSpec spec = catalog().get(row);
        boolean locked = (tdcs.controls().tdCtls() & TdControls.LOCK) != 0;
        switch (spec.name()) {
            case "PEND_NMI" -> vcpu.context().pendNmi((int) value);
            case "CPUID_SUPERVISOR_VE", "CPUID_USER_VE", "CPUID_CONTROL" -> {
                if (locked) {
                    return value == value(row, element) ? Status.SUCCESS : refused();
                }
                return storeCpuidControl(row, element, value);
            }
            case "XBUFF" -> {
                boolean header =
                        element >= XsaveLayout.LEGACY_WORDS && element < XsaveLayout.EXTENDED_WORDS;
                long xfam = tdcs.config().xfam();
                int trace = XsaveLayout.offsetOf(xfam, XsaveLayout.PROCESSOR_TRACE);
                if (header || (trace != 0 && element == trace / Long.BYTES)) {
                    return METADATA_FIELD_NOT_WRITABLE.word();
                }
                return set(row, element, value);
            }
            case "IA32_MISC_ENABLE" -> {
                return storeMiscEnable(row, value);
            }
            case "IA32_SPEC_CTRL" -> {
                VmxControls vmx = TdFields.vmx(tdcs);
                return set(row, element, vmx.virtualSpecControl(vmx.realSpecControl(value)));
            }
            default -> {
                if (isRegister(spec)) {
                    vcpu.gprs().set(register(spec), value);
                } else {
                    return set(row, element, value);
                }
            }
        }
        return Status.SUCCESS;
    }

    private long storeCpuidControl(int row, int element, long value) {
        switch (catalog().get(row).name()) {
            case "CPUID_SUPERVISOR_VE" -> vcpu.context().cpuidSupervisorVe((int) value);
            case "CPUID_USER_VE" -> vcpu.context().cpuidUserVe((int) value);
            default -> set(row, element, value);
        }
        return Status.SUCCESS;
    }

    /** What a guest that writes the MSR must get right. */
    private long storeMiscEnable(int row, long value) {
        long current = value(row, 0);
        long next = (value & ~MISC_ENABLE_READ_ONLY) | (current & MISC_ENABLE_READ_ONLY);
        TdCpuid cpuid = TdFields.cpuid(tdcs);
        boolean valid =
                (value & MISC_ENABLE_RESERVED) == 0
                        && ((next & MISC_ENABLE_SPEEDSTEP) == 0 || cpuid.hasSpeedStep())
                        && ((next ^ current) & MISC_ENABLE_MONITOR) == 0
                        && (next & MISC_ENABLE_LIMIT_CPUID) == 0
                        && ((next & MISC_ENABLE_XTPR) == 0 || cpuid.hasTaskPriorityControl());
        return valid ? set(row, 0, next) : refused();
    }

    private static boolean isRegister(FieldSpec spec) {
        return FieldId.fieldClass(spec.id()) == REGISTER_CLASS;
    }

    private static int register(FieldSpec spec) {
        int register = FieldId.code(spec.id());
        assert register != Registers.RSP;
        return register;
    }

    private long set(int row, int element, long value) {
        vcpu.context().overrides().set(catalog().id(row, element), value);
        return Status.SUCCESS;
    }

    private static long refused() {
        return METADATA_FIELD_VALUE_NOT_VALID.word();
    }

    // Addresses that the host gives.

    private static boolean isAddress(FieldSpec spec) {
        return switch (FieldId.code(spec.id())) {
            case POSTED_INTERRUPT_DESCRIPTOR, PML_ADDRESS -> VpFields.isVmcs(spec);
            default -> spec.name().equals(VpFields.SHARED_EPTP);
        };
    }

    /** A page, or for the posted-interrupt descriptor a cache line; never crosses a boundary. */
    private boolean isSharedRange(FieldSpec spec, long hpa) {
        boolean line = FieldId.code(spec.id()) == POSTED_INTERRUPT_DESCRIPTOR;
        return Addresses.isAligned(hpa, line ? CACHE_LINE : Addresses.PAGE_SIZE)
                && isSharedHpa.test(hpa);
    }
}
