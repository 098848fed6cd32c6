// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import dev.seamlab.seam.td.TdConfig;
import dev.seamlab.seam.td.Tdcs;
import dev.seamlab.seam.td.Tdr;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Fields of TDR and TDCS: every one of module 1.5.25, in its order (facts: module ABI section 6.4,
 * row by row).
 *
 * <p>CPUID_VALUES is one row here and as many in the catalogue as there are CPUID leaves, because
 * its field codes name leaf and subleaf. Roots of L2 VMs exist only in a TD that has the VM.
 */
public final class TdFields {
    /**
     * Place of the zero page among the TDCX pages: where addresses point that the host has not set.
     */
    static final int ZERO_PAGE = 4;

    /** Place of the MSR bitmaps among the TDCX pages. */
    static final int MSR_BITMAPS_PAGE = 2;

    private static final int MAX_L2_VMS = 3;

    /**
     * Name, id, fields, elements, host read, host write, host write on a debug TD, guest read,
     * guest write, and what the model does: {@code kept} has a reader below; {@code zero} belongs
     * to migration, service TDs and updates of the module, and reads as on a TD that never used
     * them. Masks: all, dbg (all bits, debug TDs only), none (-), or bits.
     */
    private static final String TABLE =
            """
            FATAL                                0x8010000000000001   1  1 all -   -   -                  -                  kept
            NUM_TDCX                             0x8010000200000002   1  1 all -   -   -                  -                  kept
            CHLDCNT                              0x8010000300000004   1  1 all -   -   -                  -                  kept
            LIFECYCLE_STATE                      0x8010000200000005   1  1 all -   -   -                  -                  kept
            TDCX_PA                              0x8010000300000010   9  1 all -   -   -                  -                  kept
            TD_UUID                              0x8010000300000020   1  4 all -   -   all                -                  kept
            HKID                                 0x8110000100000001   1  1 all -   -   -                  -                  kept
            PKG_CONFIG_BITMAP                    0x8110000300000002   1  1 all -   -   -                  -                  kept
            HANDOFF_VERSION                      0x8210000100000000   1  1 all -   -   -                  -                  kept
            SEAMDB_INDEX                         0x8210000300000001   1  1 all -   -   -                  -                  zero
            NUM_VCPUS                            0x9010000200000001   1  1 all -   -   all                -                  kept
            NUM_ASSOC_VCPUS                      0x9010000200000002   1  1 all -   -   -                  -                  kept
            OP_STATE                             0x9010000200000004   1  1 all -   -   -                  -                  kept
            NUM_L2_VMS                           0x9010000100000005   1  1 all -   -   all                -                  kept
            ATTRIBUTES                           0x1110000300000000   1  1 all -   -   all                -                  kept
            XFAM                                 0x1110000300000001   1  1 all -   -   all                -                  kept
            MAX_VCPUS                            0x1110000200000002   1  1 all -   -   all                -                  kept
            GPAW                                 0x1110000000000003   1  1 all -   -   all                -                  kept
            EPTP                                 0x1110000300000004   1  1 all -   -   -                  -                  kept
            TSC_OFFSET                           0x111000030000000A   1  1 all -   -   -                  -                  kept
            TSC_MULTIPLIER                       0x111000030000000B   1  1 all -   -   -                  -                  kept
            TSC_FREQUENCY                        0x111000010000000C   1  1 all -   -   all                -                  kept
            VIRTUAL_TSC                          0x111000030000000D   1  1 -   -   -   -                  -                  zero
            NUM_CPUID_VALUES                     0x911000010000000E   1  1 all -   -   -                  -                  kept
            XBUFF_SIZE                           0x911000020000000F   1  1 all -   -   -                  -                  kept
            NOTIFY_ENABLES                       0x9110000300000010   1  1 dbg -   0x1 0x1                0x1                kept
            HP_LOCK_TIMEOUT                      0x9110000300000011   1  1 all all all -                  -                  kept
            VM_CTLS                              0x9110000300000012   4  1 all 0xf 0xf -                  -                  kept
            CONFIG_FLAGS                         0x9110000300000016   1  1 all -   -   all                -                  kept
            TD_CTLS                              0x9110000300000017   1  1 dbg -   -   0x800000000000000f 0x800000000000000f kept
            VIRT_MAXPA                           0x9110000000000018   1  1 all -   -   -                  -                  kept
            TOPOLOGY_ENUM_CONFIGURED             0x9110000000000019   1  1 all -   -   all                -                  kept
            VE_REDUCTION_VALID                   0x911000000000001A   1  1 all -   -   all                -                  kept
            CPUID_FIXED0_BITMAP                  0x9110000300000021   1  1 all -   -   -                  -                  kept
            FEATURE_PARAVIRT_CTLS                0x9110000300000022   1  1 dbg -   -   0xfff              0xfff              kept
            FILTERED_EVENTS_COUNT                0x9110000300000023   4  1 all -   -   -                  -                  zero
            FIELD_SUPPORT_AT_INIT                0x9110000200000028   1  1 all -   -   -                  -                  zero
            CPUID_VALID                          0x9110000000000080  80  1 dbg -   -   -                  -                  kept
            CPUID4_NATIVE_VALUES                 0x9110000200000200   4  4 dbg -   -   -                  -                  kept
            XBUFF_OFFSETS                        0x9110000200000800  19  1 all -   -   -                  -                  kept
            TD_EPOCH                             0x9210000300000000   1  1 all -   -   -                  -                  kept
            REFCOUNT                             0x9210000100000001   2  1 all -   -   -                  -                  kept
            MRTD                                 0x1310000300000000   1  6 all -   -   all                -                  kept
            MRCONFIGID                           0x1310000300000010   1  6 all -   -   all                -                  kept
            MROWNER                              0x1310000300000018   1  6 all -   -   all                -                  kept
            MROWNERCONFIG                        0x1310000300000020   1  6 all -   -   all                -                  kept
            RTMR                                 0x1310000300000040   4  6 dbg -   -   all                -                  kept
            CPUID_VALUES                         0x9410000300000000  80  2 all -   -   -                  -                  kept
            VIRTUAL_IA32_ARCH_CAPABILITIES       0x961000030000010A   1  1 dbg -   -   -                  -                  kept
            VIRTUAL_IA32_VMX_BASIC               0x9610000300000480   1  1 dbg -   -   -                  -                  kept
            VIRTUAL_IA32_VMX_MISC                0x9610000300000485   1  1 dbg -   -   -                  -                  kept
            VIRTUAL_IA32_VMX_CR0_FIXED0          0x9610000300000486   1  1 dbg -   -   -                  -                  kept
            VIRTUAL_IA32_VMX_CR0_FIXED1          0x9610000300000487   1  1 dbg -   -   -                  -                  kept
            VIRTUAL_IA32_VMX_CR4_FIXED0          0x9610000300000488   1  1 dbg -   -   -                  -                  kept
            VIRTUAL_IA32_VMX_CR4_FIXED1          0x9610000300000489   1  1 dbg -   -   -                  -                  kept
            VIRTUAL_IA32_VMX_PROCBASED_CTLS2     0x961000030000048B   1  1 dbg -   -   -                  -                  kept
            VIRTUAL_IA32_VMX_EPT_VPID_CAP        0x961000030000048C   1  1 dbg -   -   -                  -                  kept
            VIRTUAL_IA32_VMX_TRUE_PINBASED_CTLS  0x961000030000048D   1  1 dbg -   -   -                  -                  kept
            VIRTUAL_IA32_VMX_TRUE_PROCBASED_CTLS 0x961000030000048E   1  1 dbg -   -   -                  -                  kept
            VIRTUAL_IA32_VMX_TRUE_EXIT_CTLS      0x961000030000048F   1  1 dbg -   -   -                  -                  kept
            VIRTUAL_IA32_VMX_TRUE_ENTRY_CTLS     0x9610000300000490   1  1 dbg -   -   -                  -                  kept
            VIRTUAL_IA32_VMX_VMFUNC              0x9610000300000491   1  1 dbg -   -   -                  -                  kept
            VIRTUAL_IA32_VMX_PROCBASED_CTLS3     0x9610000300000492   1  1 dbg -   -   -                  -                  kept
            VIRTUAL_IA32_VMX_EXIT_CTLS2          0x9610000300000493   1  1 dbg -   -   -                  -                  kept
            MIG_DEC_KEY_SET                      0x9810000000000001   1  1 all -   -   -                  -                  zero
            EXPORT_COUNT                         0x9810000200000002   1  1 all -   -   -                  -                  zero
            IMPORT_COUNT                         0x9810000200000003   1  1 all -   -   -                  -                  zero
            MIG_EPOCH                            0x9810000200000004   1  1 all -   -   -                  -                  zero
            BW_EPOCH                             0x9810000300000005   1  1 all -   -   -                  -                  zero
            TOTAL_MB_COUNT                       0x9810000300000006   1  1 all -   -   -                  -                  zero
            MIG_DEC_KEY                          0x9810000300000010   1  4 dbg -   -   -                  -                  zero
            MIG_DEC_WORKING_KEY                  0x9810000300000014   1  4 dbg -   -   -                  -                  zero
            MIG_ENC_KEY                          0x9810000300000018   1  4 dbg -   -   -                  -                  kept
            MIG_ENC_WORKING_KEY                  0x981000030000001C   1  4 dbg -   -   -                  -                  zero
            MIG_VERSION                          0x9810000100000020   1  1 all -   -   -                  -                  zero
            MIG_WORKING_VERSION                  0x9810000100000021   1  1 all -   -   -                  -                  zero
            DIRTY_COUNT                          0x9810000300000030   1  1 all -   -   -                  -                  zero
            MIG_COUNT                            0x9810000300000031   1  1 all -   -   -                  -                  zero
            NUM_MIGS                             0x9810000100000032   1  1 all -   -   -                  -                  zero
            NUM_MIGRATED_VCPUS                   0x9810000200000034   1  1 all -   -   -                  -                  zero
            PRE_IMPORT_UUID                      0x9810000300000040   1  4 all -   -   all                -                  zero
            SERVTD_HASH                          0x9910000300000000   1  6 all -   -   all                -                  zero
            SERVTD_NUM                           0x9910000100000006   1  1 all -   -   all                -                  zero
            SERVTD_BINDINGS_TABLE                0x9910000300000080   1 16 all -   -   all                -                  zero
            MIGSC_LINKS                          0x9A10000300000000 512  1 all -   -   -                  -                  zero
            X2APIC_IDS                           0x9C10000200000000 576  1 all -   -   -                  -                  kept
            MSR_BITMAPS                          0x2010000300000000 512  1 dbg -   -   -                  -                  kept
            SEPT_ROOT                            0x2110000300000000 512  1 dbg -   -   -                  -                  kept
            L2_SEPT_ROOT_1                       0x2510000300000000 512  1 dbg -   -   -                  -                  kept
            L2_SEPT_ROOT_2                       0x2910000300000000 512  1 dbg -   -   -                  -                  kept
            L2_SEPT_ROOT_3                       0x2D10000300000000 512  1 dbg -   -   -                  -                  kept
            """;

    private static final long HANDOFF_VERSION = 1;
    private static final int CPUID_LEAVES_WITH_CACHES = 4;
    private static final int RTMR_WORDS = 6;
    private static final long FREE_L2_ENTRY = 0;

    /** Stands for the random key that the module makes with the sixth TDCX page. */
    private static final long MOCK_KEY = 0x5345_414D_4C41_4221L;

    private static final VarHandle WORDS =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    /** How a field is read. */
    @FunctionalInterface
    interface Reader {
        long read(Tdr tdr, Tdcs tdcs, int element);
    }

    private static final Map<String, Reader> READERS =
            Map.ofEntries(
                    Map.entry("FATAL", (tdr, tdcs, e) -> tdr.isFatal() ? 1 : 0),
                    Map.entry("NUM_TDCX", (tdr, tdcs, e) -> tdr.tdcxCount()),
                    Map.entry("CHLDCNT", (tdr, tdcs, e) -> tdr.children()),
                    Map.entry("LIFECYCLE_STATE", (tdr, tdcs, e) -> tdr.lifecycle().ordinal()),
                    Map.entry("TDCX_PA", (tdr, tdcs, e) -> tdcxPa(tdr, e)),
                    Map.entry("TD_UUID", (tdr, tdcs, e) -> tdr.uuid(e)),
                    Map.entry("HKID", (tdr, tdcs, e) -> tdr.hkid()),
                    Map.entry("PKG_CONFIG_BITMAP", (tdr, tdcs, e) -> tdr.configuredPackages()),
                    Map.entry("HANDOFF_VERSION", (tdr, tdcs, e) -> HANDOFF_VERSION),
                    Map.entry("NUM_VCPUS", (tdr, tdcs, e) -> tdcs.vcpus()),
                    Map.entry("NUM_ASSOC_VCPUS", (tdr, tdcs, e) -> tdcs.associatedVcpus()),
                    Map.entry("OP_STATE", (tdr, tdcs, e) -> tdcs.opState().ordinal()),
                    Map.entry("NUM_L2_VMS", (tdr, tdcs, e) -> tdcs.config().numL2Vms()),
                    Map.entry("ATTRIBUTES", (tdr, tdcs, e) -> tdcs.config().attributes()),
                    Map.entry("XFAM", (tdr, tdcs, e) -> tdcs.config().xfam()),
                    Map.entry("MAX_VCPUS", (tdr, tdcs, e) -> tdcs.config().maxVcpus()),
                    Map.entry(
                            "GPAW",
                            (tdr, tdcs, e) -> tdcs.config().configFlags() & TdConfig.FLAG_GPAW),
                    Map.entry("EPTP", (tdr, tdcs, e) -> tdr.withHkid(eptp(tdcs))),
                    Map.entry("TSC_OFFSET", (tdr, tdcs, e) -> tdcs.tscOffset()),
                    Map.entry("TSC_MULTIPLIER", (tdr, tdcs, e) -> tdcs.tscMultiplier()),
                    Map.entry("TSC_FREQUENCY", (tdr, tdcs, e) -> tdcs.config().tscFrequency()),
                    Map.entry("NUM_CPUID_VALUES", (tdr, tdcs, e) -> CpuidTable.size()),
                    Map.entry(
                            "XBUFF_SIZE", (tdr, tdcs, e) -> XsaveLayout.size(tdcs.config().xfam())),
                    Map.entry("NOTIFY_ENABLES", (tdr, tdcs, e) -> tdcs.controls().notifyEnables()),
                    Map.entry("HP_LOCK_TIMEOUT", (tdr, tdcs, e) -> tdcs.controls().hpLockTimeout()),
                    Map.entry("VM_CTLS", (tdr, tdcs, e) -> tdcs.controls().vmCtls(e)),
                    Map.entry("CONFIG_FLAGS", (tdr, tdcs, e) -> tdcs.config().configFlags()),
                    Map.entry("TD_CTLS", (tdr, tdcs, e) -> tdcs.controls().tdCtls()),
                    Map.entry("VIRT_MAXPA", (tdr, tdcs, e) -> tdcs.config().virtualMaxPa()),
                    Map.entry(
                            "TOPOLOGY_ENUM_CONFIGURED",
                            (tdr, tdcs, e) -> tdcs.controls().topologyEnumConfigured() ? 1 : 0),
                    Map.entry(
                            "VE_REDUCTION_VALID",
                            (tdr, tdcs, e) -> tdcs.controls().veReductionValid() ? 1 : 0),
                    Map.entry("CPUID_FIXED0_BITMAP", (tdr, tdcs, e) -> CpuidTable.FIXED0_BITMAP),
                    Map.entry(
                            "FEATURE_PARAVIRT_CTLS",
                            (tdr, tdcs, e) -> tdcs.controls().featureParavirtCtls()),
                    Map.entry("CPUID_VALID", (tdr, tdcs, e) -> e < CpuidTable.size() ? 1 : 0),
                    Map.entry("CPUID4_NATIVE_VALUES", (tdr, tdcs, e) -> cacheLeaf(e)),
                    Map.entry(
                            "XBUFF_OFFSETS",
                            (tdr, tdcs, e) -> XsaveLayout.offsetOf(tdcs.config().xfam(), e)),
                    Map.entry("TD_EPOCH", (tdr, tdcs, e) -> tdcs.epoch().epoch()),
                    Map.entry("REFCOUNT", (tdr, tdcs, e) -> tdcs.epoch().running(e)),
                    Map.entry("MRTD", (tdr, tdcs, e) -> word(tdcs.mrtd(), e)),
                    Map.entry("MRCONFIGID", (tdr, tdcs, e) -> word(tdcs.config().mrConfigId(), e)),
                    Map.entry("MROWNER", (tdr, tdcs, e) -> word(tdcs.config().mrOwner(), e)),
                    Map.entry(
                            "MROWNERCONFIG",
                            (tdr, tdcs, e) -> word(tdcs.config().mrOwnerConfig(), e)),
                    Map.entry(
                            "RTMR",
                            (tdr, tdcs, e) -> word(tdcs.rtmr(e / RTMR_WORDS), e % RTMR_WORDS)),
                    Map.entry(
                            "VIRTUAL_IA32_ARCH_CAPABILITIES",
                            (tdr, tdcs, e) -> tdcs.config().archCapabilities()),
                    Map.entry("MIG_ENC_KEY", (tdr, tdcs, e) -> tdr.uuid(e) ^ MOCK_KEY),
                    Map.entry("X2APIC_IDS", (tdr, tdcs, e) -> tdcs.x2apicId(e)),
                    Map.entry("MSR_BITMAPS", (tdr, tdcs, e) -> msrBitmaps(tdcs).word(e)),
                    Map.entry("SEPT_ROOT", (tdr, tdcs, e) -> tdcs.septRoot().words()[e]),
                    Map.entry("L2_SEPT_ROOT_1", (tdr, tdcs, e) -> FREE_L2_ENTRY),
                    Map.entry("L2_SEPT_ROOT_2", (tdr, tdcs, e) -> FREE_L2_ENTRY),
                    Map.entry("L2_SEPT_ROOT_3", (tdr, tdcs, e) -> FREE_L2_ENTRY));

    private static final String CPUID_VALUES = "CPUID_VALUES";
    private static final String VMX_CAPABILITY = "VIRTUAL_IA32_VMX_";
    private static final Reader ZERO = (tdr, tdcs, e) -> 0;

    private record Row(FieldSpec spec, Reader reader) {}

    private static final List<Row> ROWS =
            TABLE.lines().flatMap(line -> parse(line).stream()).toList();

    /** A catalogue for each number of L2 VMs, whose rows are the last. */
    private static final List<FieldCatalog> CATALOGS =
            IntStream.rangeClosed(0, MAX_L2_VMS)
                    .mapToObj(vms ->
                            new FieldCatalog(
                                    ROWS.stream()
                                            .map(Row::spec)
                                            .limit(ROWS.size() - (MAX_L2_VMS - vms))
                                            .toList()))
                    .toList();

    private TdFields() {}

    /** Identities and order of the fields of a TD. */
    static FieldCatalog catalog(Tdcs tdcs) {
        return CATALOGS.get(tdcs.config().numL2Vms());
    }

    /** Value of an element. */
    static long value(int row, Tdr tdr, Tdcs tdcs, int element) {
        return ROWS.get(row).reader().read(tdr, tdcs, element);
    }

    /** A TDCX page as the module maps it, with the KeyID; 0 for one that is not there. */
    static long tdcxPa(Tdr tdr, int index) {
        long page = tdr.tdcx(index);
        return page == 0 ? 0 : tdr.withHkid(page);
    }

    /** EPTP as a VMCS has it: there the KeyID is a field of its own. */
    static long eptp(Tdcs tdcs) {
        return tdcs.config().eptpControls() | tdcs.septRoot().hpa();
    }

    /** CPUID as a TD sees it. */
    static TdCpuid cpuid(Tdcs tdcs) {
        return new TdCpuid(tdcs.config());
    }

    /** VMX controls of a TD. */
    static VmxControls vmx(Tdcs tdcs) {
        return new VmxControls(tdcs.config(), cpuid(tdcs));
    }

    private static MsrBitmaps msrBitmaps(Tdcs tdcs) {
        return new MsrBitmaps(tdcs.config(), cpuid(tdcs));
    }

    private static long cacheLeaf(int element) {
        CpuidTable.Leaf leaf =
                CpuidTable.get(CpuidTable.find(4, element / CPUID_LEAVES_WITH_CACHES));
        return leaf.sampled(element % CPUID_LEAVES_WITH_CACHES) & 0xFFFF_FFFFL;
    }

    private static List<Row> parse(String line) {
        String[] column = line.trim().split("\\s+", -1);
        String name = column[0];
        FieldSpec spec =
                new FieldSpec(
                        name,
                        Long.parseUnsignedLong(column[1].substring(2), 16),
                        Integer.parseInt(column[2]),
                        Integer.parseInt(column[3]),
                        mask(column[4], false),
                        mask(column[4], true),
                        mask(column[5], false),
                        mask(column[6], true),
                        mask(column[7], false),
                        mask(column[8], false));
        if (name.equals(CPUID_VALUES)) {
            return cpuidRows(spec);
        }
        @Nullable Reader reader = reader(spec);
        boolean kept = column[9].equals("kept");
        if (kept != (reader != null)) {
            throw new AssertionError("reader and table disagree about " + name);
        }
        return List.of(new Row(spec, reader == null ? ZERO : reader));
    }

    private static @Nullable Reader reader(FieldSpec spec) {
        if (spec.name().startsWith(VMX_CAPABILITY)) {
            int msr = dev.seamlab.seam.abi.FieldId.code(spec.id());
            return (tdr, tdcs, e) -> vmx(tdcs).capability(msr);
        }
        return READERS.get(spec.name());
    }

    private static List<Row> cpuidRows(FieldSpec spec) {
        List<Row> rows = new ArrayList<>();
        for (int i = 0; i < CpuidTable.size(); i++) {
            int index = i;
            FieldSpec leaf =
                    new FieldSpec(
                            spec.name(),
                            spec.id() | CpuidTable.Code.of(CpuidTable.get(i)),
                            1,
                            spec.elements(),
                            spec.hostRead(),
                            spec.debugRead(),
                            spec.hostWrite(),
                            spec.debugWrite(),
                            spec.guestRead(),
                            spec.guestWrite());
            rows.add(new Row(leaf, (tdr, tdcs, e) -> cpuid(tdcs).value(index, e)));
        }
        return rows;
    }

    private static long mask(String text, boolean debug) {
        return switch (text) {
            case "all" -> FieldSpec.ALL;
            case "dbg" -> debug ? FieldSpec.ALL : 0;
            case "-" -> 0;
            default -> Long.parseUnsignedLong(text.substring(2), 16);
        };
    }

    private static long word(byte[] bytes, int index) {
        return (long) WORDS.get(bytes, Long.BYTES * index);
    }
}
