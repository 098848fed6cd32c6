// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import dev.seamlab.seam.td.TdConfig;
import dev.seamlab.seam.td.Tdcs;
import dev.seamlab.seam.td.Tdr;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Fields of TDR and TDCS (facts: module ABI section 6.4, row by row). */
public final class TdFields {
    /**
     * Name, id, fields, elements, host read, host write, host write on a debug TD, guest read,
     * guest write, and what the model does: {@code kept} has a reader below; {@code zero} belongs
     * to migration, service TDs or L2 VMs and reads as on a TD that never used them; {@code lost}
     * is not kept and not readable. Masks: all, dbg (all bits, debug TDs only), none (-), or bits.
     */
    private static final String TABLE =
            """
            FATAL                          0x8010000000000001   1  1 all -   -   -                  -                  kept
            NUM_TDCX                       0x8010000200000002   1  1 all -   -   -                  -                  kept
            CHLDCNT                        0x8010000300000004   1  1 all -   -   -                  -                  kept
            LIFECYCLE_STATE                0x8010000200000005   1  1 all -   -   -                  -                  kept
            TDCX_PA                        0x8010000300000010   9  1 all -   -   -                  -                  kept
            TD_UUID                        0x8010000300000020   1  4 all -   -   all                -                  kept
            HKID                           0x8110000100000001   1  1 all -   -   -                  -                  kept
            PKG_CONFIG_BITMAP              0x8110000300000002   1  1 all -   -   -                  -                  kept
            HANDOFF_VERSION                0x8210000100000000   1  1 all -   -   -                  -                  kept
            SEAMDB_INDEX                   0x8210000300000001   1  1 all -   -   -                  -                  lost
            NUM_VCPUS                      0x9010000200000001   1  1 all -   -   all                -                  kept
            NUM_ASSOC_VCPUS                0x9010000200000002   1  1 all -   -   -                  -                  kept
            OP_STATE                       0x9010000200000004   1  1 all -   -   -                  -                  kept
            NUM_L2_VMS                     0x9010000100000005   1  1 all -   -   all                -                  kept
            ATTRIBUTES                     0x1110000300000000   1  1 all -   -   all                -                  kept
            XFAM                           0x1110000300000001   1  1 all -   -   all                -                  kept
            MAX_VCPUS                      0x1110000200000002   1  1 all -   -   all                -                  kept
            GPAW                           0x1110000000000003   1  1 all -   -   all                -                  kept
            EPTP                           0x1110000300000004   1  1 all -   -   -                  -                  kept
            TSC_OFFSET                     0x111000030000000A   1  1 all -   -   -                  -                  lost
            TSC_MULTIPLIER                 0x111000030000000B   1  1 all -   -   -                  -                  lost
            TSC_FREQUENCY                  0x111000010000000C   1  1 all -   -   all                -                  kept
            VIRTUAL_TSC                    0x111000030000000D   1  1 -   -   -   -                  -                  lost
            NUM_CPUID_VALUES               0x911000010000000E   1  1 all -   -   -                  -                  kept
            XBUFF_SIZE                     0x911000020000000F   1  1 all -   -   -                  -                  lost
            NOTIFY_ENABLES                 0x9110000300000010   1  1 dbg -   0x1 0x1                0x1                kept
            HP_LOCK_TIMEOUT                0x9110000300000011   1  1 all all all -                  -                  kept
            VM_CTLS                        0x9110000300000012   4  1 all 0xf 0xf -                  -                  zero
            CONFIG_FLAGS                   0x9110000300000016   1  1 all -   -   all                -                  kept
            TD_CTLS                        0x9110000300000017   1  1 dbg -   -   0x800000000000000f 0x800000000000000f kept
            VIRT_MAXPA                     0x9110000000000018   1  1 all -   -   -                  -                  kept
            TOPOLOGY_ENUM_CONFIGURED       0x9110000000000019   1  1 all -   -   all                -                  kept
            VE_REDUCTION_VALID             0x911000000000001A   1  1 all -   -   all                -                  kept
            CPUID_FIXED0_BITMAP            0x9110000300000021   1  1 all -   -   -                  -                  lost
            FEATURE_PARAVIRT_CTLS          0x9110000300000022   1  1 dbg -   -   0xfff              0xfff              kept
            FILTERED_EVENTS_COUNT          0x9110000300000023   4  1 all -   -   -                  -                  zero
            FIELD_SUPPORT_AT_INIT          0x9110000200000028   1  1 all -   -   -                  -                  lost
            CPUID_VALID                    0x9110000000000080  80  1 dbg -   -   -                  -                  lost
            CPUID4_NATIVE_VALUES           0x9110000200000200   4  4 dbg -   -   -                  -                  lost
            XBUFF_OFFSETS                  0x9110000200000800  19  1 all -   -   -                  -                  lost
            TD_EPOCH                       0x9210000300000000   1  1 all -   -   -                  -                  kept
            REFCOUNT                       0x9210000100000001   2  1 all -   -   -                  -                  kept
            MRTD                           0x1310000300000000   1  6 all -   -   all                -                  kept
            MRCONFIGID                     0x1310000300000010   1  6 all -   -   all                -                  kept
            MROWNER                        0x1310000300000018   1  6 all -   -   all                -                  kept
            MROWNERCONFIG                  0x1310000300000020   1  6 all -   -   all                -                  kept
            RTMR                           0x1310000300000040   4  6 dbg -   -   all                -                  kept
            CPUID_VALUES                   0x9410000300000000  80  2 all -   -   -                  -                  lost
            VIRTUAL_IA32_ARCH_CAPABILITIES 0x961000030000010A   1  1 dbg -   -   -                  -                  kept
            MIG_DEC_KEY_SET                0x9810000000000001   1  1 all -   -   -                  -                  zero
            EXPORT_COUNT                   0x9810000200000002   1  1 all -   -   -                  -                  zero
            IMPORT_COUNT                   0x9810000200000003   1  1 all -   -   -                  -                  zero
            MIG_EPOCH                      0x9810000200000004   1  1 all -   -   -                  -                  zero
            BW_EPOCH                       0x9810000300000005   1  1 all -   -   -                  -                  zero
            TOTAL_MB_COUNT                 0x9810000300000006   1  1 all -   -   -                  -                  zero
            MIG_DEC_KEY                    0x9810000300000010   1  4 dbg -   -   -                  -                  lost
            MIG_DEC_WORKING_KEY            0x9810000300000014   1  4 dbg -   -   -                  -                  lost
            MIG_ENC_KEY                    0x9810000300000018   1  4 dbg -   -   -                  -                  lost
            MIG_ENC_WORKING_KEY            0x981000030000001C   1  4 dbg -   -   -                  -                  lost
            MIG_VERSION                    0x9810000100000020   1  1 all -   -   -                  -                  zero
            MIG_WORKING_VERSION            0x9810000100000021   1  1 all -   -   -                  -                  zero
            DIRTY_COUNT                    0x9810000300000030   1  1 all -   -   -                  -                  zero
            MIG_COUNT                      0x9810000300000031   1  1 all -   -   -                  -                  zero
            NUM_MIGS                       0x9810000100000032   1  1 all -   -   -                  -                  zero
            NUM_MIGRATED_VCPUS             0x9810000200000034   1  1 all -   -   -                  -                  zero
            PRE_IMPORT_UUID                0x9810000300000040   1  4 all -   -   all                -                  zero
            SERVTD_HASH                    0x9910000300000000   1  6 all -   -   all                -                  zero
            SERVTD_NUM                     0x9910000100000006   1  1 all -   -   all                -                  zero
            SERVTD_BINDINGS_TABLE          0x9910000300000080   1 16 all -   -   all                -                  zero
            MIGSC_LINKS                    0x9A10000300000000 512  1 all -   -   -                  -                  zero
            X2APIC_IDS                     0x9C10000200000000 576  1 all -   -   -                  -                  kept
            MSR_BITMAPS                    0x2010000300000000 512  1 dbg -   -   -                  -                  lost
            SEPT_ROOT                      0x2110000300000000 512  1 dbg -   -   -                  -                  lost
            L2_SEPT_ROOT_1                 0x2510000300000000 512  1 dbg -   -   -                  -                  lost
            L2_SEPT_ROOT_2                 0x2910000300000000 512  1 dbg -   -   -                  -                  lost
            L2_SEPT_ROOT_3                 0x2D10000300000000 512  1 dbg -   -   -                  -                  lost
            """;

    private static final long HANDOFF_VERSION = 1;
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
                    Map.entry("TDCX_PA", (tdr, tdcs, e) -> tdr.tdcx(e)),
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
                    Map.entry(
                            "EPTP",
                            (tdr, tdcs, e) -> tdcs.config().eptpControls() | tdcs.septRoot().hpa()),
                    Map.entry("TSC_FREQUENCY", (tdr, tdcs, e) -> tdcs.config().tscFrequency()),
                    Map.entry("NUM_CPUID_VALUES", (tdr, tdcs, e) -> CpuidConfig.rows()),
                    Map.entry("NOTIFY_ENABLES", (tdr, tdcs, e) -> tdcs.controls().notifyEnables()),
                    Map.entry("HP_LOCK_TIMEOUT", (tdr, tdcs, e) -> tdcs.controls().hpLockTimeout()),
                    Map.entry("CONFIG_FLAGS", (tdr, tdcs, e) -> tdcs.config().configFlags()),
                    Map.entry("TD_CTLS", (tdr, tdcs, e) -> tdcs.controls().tdCtls()),
                    Map.entry("VIRT_MAXPA", (tdr, tdcs, e) -> tdcs.config().virtualMaxPa()),
                    Map.entry(
                            "TOPOLOGY_ENUM_CONFIGURED",
                            (tdr, tdcs, e) -> tdcs.controls().topologyEnumConfigured() ? 1 : 0),
                    Map.entry(
                            "VE_REDUCTION_VALID",
                            (tdr, tdcs, e) -> tdcs.controls().veReductionValid() ? 1 : 0),
                    Map.entry(
                            "FEATURE_PARAVIRT_CTLS",
                            (tdr, tdcs, e) -> tdcs.controls().featureParavirtCtls()),
                    Map.entry("TD_EPOCH", (tdr, tdcs, e) -> tdcs.epoch().epoch()),
                    Map.entry("REFCOUNT", (tdr, tdcs, e) -> tdcs.epoch().running(e)),
                    Map.entry("MRTD", (tdr, tdcs, e) -> word(tdcs.mrtd(), e)),
                    Map.entry("MRCONFIGID", (tdr, tdcs, e) -> word(tdcs.config().mrConfigId(), e)),
                    Map.entry("MROWNER", (tdr, tdcs, e) -> word(tdcs.config().mrOwner(), e)),
                    Map.entry(
                            "MROWNERCONFIG",
                            (tdr, tdcs, e) -> word(tdcs.config().mrOwnerConfig(), e)),
                    Map.entry("RTMR", (tdr, tdcs, e) -> word(tdcs.rtmr(e / 6), e % 6)),
                    Map.entry(
                            "VIRTUAL_IA32_ARCH_CAPABILITIES",
                            (tdr, tdcs, e) -> tdcs.config().archCapabilities()),
                    Map.entry("X2APIC_IDS", (tdr, tdcs, e) -> tdcs.x2apicId(e)));

    private record Row(FieldSpec spec, @Nullable Reader reader) {}

    private static final List<Row> ROWS = TABLE.lines().map(TdFields::parse).toList();

    private static final FieldCatalog CATALOG =
            new FieldCatalog(ROWS.stream().map(Row::spec).toList());

    private TdFields() {}

    /** Identities and order. */
    public static FieldCatalog catalog() {
        return CATALOG;
    }

    /** Value of an element. */
    public static long value(int row, Tdr tdr, Tdcs tdcs, int element) {
        Reader reader = ROWS.get(row).reader();
        return reader == null ? 0 : reader.read(tdr, tdcs, element);
    }

    private static Row parse(String line) {
        String[] column = line.trim().split("\\s+", -1);
        String name = column[0];
        boolean readable = !column[9].equals("lost");
        FieldSpec spec =
                new FieldSpec(
                        name,
                        Long.parseUnsignedLong(column[1].substring(2), 16),
                        Integer.parseInt(column[2]),
                        Integer.parseInt(column[3]),
                        readable ? mask(column[4], false) : 0,
                        readable ? mask(column[4], true) : 0,
                        mask(column[5], false),
                        mask(column[6], true),
                        readable ? mask(column[7], false) : 0,
                        mask(column[8], false));
        Reader reader = READERS.get(name);
        if ((reader != null) != column[9].equals("kept")) {
            throw new AssertionError("reader and table disagree about " + name);
        }
        return new Row(spec, reader);
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
