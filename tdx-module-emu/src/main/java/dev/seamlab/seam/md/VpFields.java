// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.td.EptFaultLog;
import dev.seamlab.seam.td.Tdcs;
import dev.seamlab.seam.td.Tdr;
import dev.seamlab.seam.td.Tdvps;
import dev.seamlab.seam.td.VcpuContext;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Values of a vCPU's fields (facts: module ABI section 6.5), whose identities and masks stand in
 * {@link VpTables}.
 *
 * <p>The model's guests execute no instructions, so their segment registers, control registers and
 * extended states stay what VP.INIT or a debugger made them; the instruction pointer as well. What
 * the CPU and the module change while a vCPU runs, they change here: exits, virtualization
 * exceptions, general-purpose registers, epochs, associations.
 */
final class VpFields {
    /** Shared EPT pointer. */
    static final String SHARED_EPTP = "SHARED_EPTP";

    private static final long NULL_ADDRESS = -1L;
    private static final long POSTED_INTERRUPT_VECTOR = 0x0024_0001_0000_0002L;
    private static final long POSTED_INTERRUPT_DESCRIPTOR = 0x0024_0003_0000_2016L;
    private static final long SHARED_EPTP_ID = 0x0024_0003_0000_203CL;
    private static final long PIN_BASED = 0x0024_0002_0000_4000L;
    private static final long VE_VALID = 0xFFFF_FFFFL;
    private static final int VAPIC_PAGE = 2;
    private static final int VM_SHIFT = 2;
    private static final long XCOMP_COMPACT = 1L << 63;
    private static final long LBR_DEPTH = 32;
    private static final int LBR = 15;

    /** How a field is read. */
    @FunctionalInterface
    interface Reader {
        long read(Tdvps vcpu, Tdcs tdcs, int element);
    }

    private static final Map<String, Reader> READERS = new HashMap<>();

    static {
        vmcs();
        controls();
        exceptions();
        registers();
        management();
        l2();
    }

    private record Row(FieldSpec spec, @Nullable Reader reader, long initial) {}

    private static final List<Row> ROWS =
            Stream.of(VpTables.VMCS, VpTables.TDVPS)
                    .flatMap(String::lines)
                    .map(VpFields::parse)
                    .toList();

    static final FieldCatalog CATALOG = new FieldCatalog(ROWS.stream().map(Row::spec).toList());

    private VpFields() {}

    /** Value of an element: what somebody wrote, or what module and CPU have there. */
    static long value(int row, Tdvps vcpu, Tdcs tdcs, int element) {
        Row r = ROWS.get(row);
        Reader reader = r.reader();
        long own = reader == null ? r.initial() : reader.read(vcpu, tdcs, element);
        return vcpu.context().overrides().get(CATALOG.id(row, element), own) & r.spec().sizeMask();
    }

    /** Value of the first element of a field by its identifier. */
    static long value(long id, Tdvps vcpu, Tdcs tdcs) {
        int row = CATALOG.find(id);
        return value(row, vcpu, tdcs, CATALOG.element(row, id));
    }

    private static void vmcs() {
        READERS.put("VPID", (vcpu, tdcs, e) -> (long) vcpu.tdr().hkid() << VM_SHIFT);
        READERS.put(
                "MSR_BITMAP_ADDRESS",
                (vcpu, tdcs, e) -> TdFields.tdcxPa(vcpu.tdr(), TdFields.MSR_BITMAPS_PAGE));
        READERS.put("TIME_STAMP_COUNTER_OFFSET", (vcpu, tdcs, e) -> tdcs.tscOffset());
        READERS.put("TIME_STAMP_COUNTER_MULTIPLIER", (vcpu, tdcs, e) -> tdcs.tscMultiplier());
        READERS.put("VIRTUAL_APIC_ADDRESS", (vcpu, tdcs, e) -> pagePa(vcpu, VAPIC_PAGE));
        READERS.put("EPTP", (vcpu, tdcs, e) -> TdFields.eptp(tdcs));
        READERS.put(
                "VIRTUALIZATION_EXCEPTION_INFORMATION_ADDRESS",
                (vcpu, tdcs, e) -> vcpu.tdr().withHkid(vcpu.hpa()));
        READERS.put("LOW_PASID_DIRECTORY_ADDRESS", (vcpu, tdcs, e) -> zeroPage(vcpu.tdr()));
        READERS.put("HIGH_PASID_DIRECTORY_ADDRESS", (vcpu, tdcs, e) -> zeroPage(vcpu.tdr()));
        READERS.put(SHARED_EPTP, (vcpu, tdcs, e) -> zeroPage(vcpu.tdr()));
        READERS.put("TD_HKID", (vcpu, tdcs, e) -> vcpu.tdr().hkid());
        READERS.put("GUEST_PHYSICAL_ADDRESS", (vcpu, tdcs, e) -> vcpu.context().exitGpa());
        READERS.put("EXIT_REASON", (vcpu, tdcs, e) -> vcpu.context().exitReason());
        READERS.put("EXIT_QUALIFICATION", (vcpu, tdcs, e) -> vcpu.context().exitQualification());
    }

    private static void controls() {
        put("PIN_BASED_VM_EXECUTION_CONTROLS", VmxControls::pinBased);
        put("PRIMARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS", VmxControls::primary);
        put("SECONDARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS", VmxControls::secondary);
        put("TERTIARY_PROCESSOR_BASED_VM_EXECUTION_CONTROLS", VmxControls::tertiary);
        put("VM_EXIT_CONTROLS", VmxControls::exit);
        put("VM_ENTRY_CONTROLS", VmxControls::entry);
        put("CR0_GUEST_HOST_MASK", VmxControls::cr0Mask);
        put("CR4_GUEST_HOST_MASK", VmxControls::cr4Mask);
        put("CR0_READ_SHADOW", VmxControls::cr0Shadow);
        put("CR4_READ_SHADOW", VmxControls::cr4Shadow);
        put("IA32_PERF_GLOBAL_CTRL", VmxControls::perfGlobalControl);
        put("IA32_SPEC_CTRL_MASK", VmxControls::specControl);
    }

    private static void exceptions() {
        READERS.put("VE_EXIT_REASON", (vcpu, tdcs, e) -> vcpu.context().veReason());
        READERS.put("VE_VALID", (vcpu, tdcs, e) -> vcpu.context().veValid() ? VE_VALID : 0);
        READERS.put("VE_EXIT_QUALIFICATION", (vcpu, tdcs, e) -> vcpu.context().veQualification());
        READERS.put("VE_GLA", (vcpu, tdcs, e) -> vcpu.context().veGla());
        READERS.put("VE_GPA", (vcpu, tdcs, e) -> vcpu.context().veGpa());
        READERS.put("VE_INSTRUCTION_LENGTH", (vcpu, tdcs, e) -> vcpu.context().veInstruction());
        READERS.put("VE_CATEGORY", (vcpu, tdcs, e) -> vcpu.context().veCategory());
    }

    private static void registers() {
        String[] names = {
            "RAX", "RCX", "RDX", "RBX", "", "RBP", "RSI", "RDI", "R8", "R9", "R10", "R11", "R12",
            "R13", "R14", "R15"
        };
        for (int i = 0; i < Registers.COUNT; i++) {
            int register = i;
            if (i != Registers.RSP) {
                READERS.put(names[i], (vcpu, tdcs, e) -> vcpu.gprs().get(register));
            }
        }
        // Compacted format: without this bit the save area cannot be restored.
        READERS.put(
                "XBUFF", (vcpu, tdcs, e) -> e == XsaveLayout.LEGACY_WORDS + 1 ? XCOMP_COMPACT : 0);
        READERS.put(
                "IA32_SPEC_CTRL",
                (vcpu, tdcs, e) -> {
                    VmxControls vmx = TdFields.vmx(tdcs);
                    return vmx.virtualSpecControl(vmx.specControl());
                });
        put("IA32_MISC_ENABLE", VmxControls::miscEnable);
        READERS.put(
                "IA32_LBR_DEPTH",
                (vcpu, tdcs, e) -> (tdcs.config().xfam() >>> LBR & 1) != 0 ? LBR_DEPTH : 0);
    }

    private static void management() {
        READERS.put("VCPU_STATE", (vcpu, tdcs, e) -> vcpu.state().code());
        READERS.put("VCPU_INDEX", (vcpu, tdcs, e) -> vcpu.index());
        READERS.put("NUM_TDVPS_PAGES", (vcpu, tdcs, e) -> vcpu.pageCount());
        READERS.put("TDVPS_PAGE_PA", (vcpu, tdcs, e) -> pagePa(vcpu, e));
        READERS.put("ASSOC_LPID", (vcpu, tdcs, e) -> vcpu.associatedCpu());
        READERS.put("VCPU_EPOCH", (vcpu, tdcs, e) -> vcpu.context().epoch());
        READERS.put("CPUID_SUPERVISOR_VE", (vcpu, tdcs, e) -> vcpu.context().cpuidSupervisorVe());
        READERS.put("CPUID_USER_VE", (vcpu, tdcs, e) -> vcpu.context().cpuidUserVe());
        // Exits do not read the clock; the stamp of VP.INIT stays.
        READERS.put("LAST_EXIT_TSC", (vcpu, tdcs, e) -> vcpu.context().initialTsc());
        READERS.put("PEND_NMI", (vcpu, tdcs, e) -> vcpu.context().pendNmi());
        READERS.put(
                "LAST_EPF_GPA_LIST_IDX", (vcpu, tdcs, e) -> vcpu.context().eptFaults().listed());
        READERS.put(
                "POSSIBLY_EPF_STEPPING", (vcpu, tdcs, e) -> vcpu.context().eptFaults().counted());
        READERS.put("LAST_EPF_GPA_LIST", (vcpu, tdcs, e) -> listed(vcpu.context(), e));
        READERS.put("LAST_TD_EXIT", (vcpu, tdcs, e) -> vcpu.context().lastExit().ordinal());
        READERS.put("HP_LOCK_BUSY", (vcpu, tdcs, e) -> isBusy(vcpu.context()) ? 1 : 0);
        READERS.put(
                "HP_LOCK_BUSY_START",
                (vcpu, tdcs, e) -> {
                    VcpuContext context = vcpu.context();
                    return isBusy(context) ? context.hostPriorityBusySince() : 0;
                });
        READERS.put("VM_LAUNCHED", (vcpu, tdcs, e) -> e == 0 && vcpu.context().launched() ? 1 : 0);
        READERS.put(
                "SHADOW_PID_HPA",
                (vcpu, tdcs, e) -> ofL1(e, value(POSTED_INTERRUPT_DESCRIPTOR, vcpu, tdcs)));
        READERS.put(
                "SHADOW_PINBASED_EXEC_CTLS",
                (vcpu, tdcs, e) -> ofL1(e, value(PIN_BASED, vcpu, tdcs)));
        READERS.put(
                "SHADOW_POSTED_INT_NOTIFICATION_VECTOR",
                (vcpu, tdcs, e) -> ofL1(e, value(POSTED_INTERRUPT_VECTOR, vcpu, tdcs)));
        READERS.put(
                "SHADOW_PROCBASED_EXEC_CTLS2",
                (vcpu, tdcs, e) -> ofL1(e, TdFields.vmx(tdcs).secondaryOfModule()));
        READERS.put("SHADOW_SHARED_EPTP", (vcpu, tdcs, e) -> ofL1(e, sharedEptp(vcpu)));
    }

    private static void l2() {
        for (String nowhere :
                List.of(
                        "TSC_DEADLINE",
                        "L2_ENTER_GUEST_STATE_GPA",
                        "L2_ENTER_GUEST_STATE_HPA",
                        "L2_VAPIC_GPA",
                        "L2_VAPIC_HPA")) {
            READERS.put(nowhere, (vcpu, tdcs, e) -> ofL1(e, NULL_ADDRESS));
        }
        put("BASE_L2_CR0_GUEST_HOST_MASK", VmxControls::l2Cr0Mask);
        put("BASE_L2_CR0_READ_SHADOW", VmxControls::l2Cr0Shadow);
        put("BASE_L2_CR4_GUEST_HOST_MASK", VmxControls::l2Cr4Mask);
        put("BASE_L2_CR4_READ_SHADOW", VmxControls::l2Cr4Shadow);
        putOfL1("SHADOW_CR0_GUEST_HOST_MASK", VmxControls::cr0Mask);
        putOfL1("SHADOW_CR0_READ_SHADOW", VmxControls::cr0Shadow);
        putOfL1("SHADOW_CR4_GUEST_HOST_MASK", VmxControls::cr4Mask);
        putOfL1("SHADOW_CR4_READ_SHADOW", VmxControls::cr4Shadow);
    }

    /** The shadow of the shared EPT pointer is of nothing until the host has set the pointer. */
    private static long sharedEptp(Tdvps vcpu) {
        return vcpu.context().overrides().get(SHARED_EPTP_ID, NULL_ADDRESS);
    }

    private static boolean isBusy(VcpuContext context) {
        return context.hostPriorityBusySince() != VcpuContext.NOT_BUSY;
    }

    private static long listed(VcpuContext context, int element) {
        EptFaultLog faults = context.eptFaults();
        return faults.address(element);
    }

    private static long zeroPage(Tdr tdr) {
        return TdFields.tdcxPa(tdr, TdFields.ZERO_PAGE);
    }

    /** A TDVPS page as the module maps it, with the KeyID; 0 for one that is not there. */
    private static long pagePa(Tdvps vcpu, int index) {
        long page = vcpu.page(index);
        return page == 0 ? 0 : vcpu.tdr().withHkid(page);
    }

    private static long ofL1(int element, long value) {
        return element == 0 ? value : 0;
    }

    private static void put(String name, ToLongFunction<VmxControls> control) {
        READERS.put(name, (vcpu, tdcs, e) -> control.applyAsLong(TdFields.vmx(tdcs)));
    }

    private static void putOfL1(String name, ToLongFunction<VmxControls> control) {
        READERS.put(name, (vcpu, tdcs, e) -> ofL1(e, control.applyAsLong(TdFields.vmx(tdcs))));
    }

    private static Row parse(String line) {
        String[] column = line.trim().split("\\s+", -1);
        FieldSpec spec =
                new FieldSpec(
                        column[0],
                        Long.parseUnsignedLong(column[1].substring(2), 16),
                        Integer.parseInt(column[2]),
                        1,
                        mask(column[3]),
                        mask(column[4]),
                        mask(column[5]),
                        mask(column[6]),
                        mask(column[7]),
                        mask(column[8]));
        return switch (column[9]) {
            case "kept" -> new Row(spec, Objects.requireNonNull(READERS.get(column[0])), 0);
            case "null" -> new Row(spec, null, NULL_ADDRESS);
            default -> new Row(spec, null, Long.decode(column[9]));
        };
    }

    private static long mask(String text) {
        return switch (text) {
            case "all" -> FieldSpec.ALL;
            case "-" -> 0;
            default -> Long.parseUnsignedLong(text.substring(2), 16);
        };
    }

    /** Class of VMCS fields. */
    static boolean isVmcs(FieldSpec spec) {
        return FieldId.fieldClass(spec.id()) == 0;
    }
}
