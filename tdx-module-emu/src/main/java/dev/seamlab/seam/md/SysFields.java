// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.seam.abi.GlobalField;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Global metadata, as the machine and the module profile make it (facts: module ABI sections 6.2
 * and 6.3). Values do not change once the machine runs.
 *
 * <p>A module without Dynamic PAMT does not have its two fields.
 */
public final class SysFields {
    private static final int MAX_CMRS = 32;
    private static final int CPUID_ROWS = 32;
    private static final int PAGE = 4096;
    private static final int VENDOR_INTEL = 0x8086;
    private static final int PACKAGES = 8;
    private static final int FMS_LIST = 64;
    private static final int MAX_DYNAMIC_ADDRESS_BITS = 48;

    /** The field counts from 0; with fewer than 14 pages the module refuses SYS.INIT. */
    private static final int HANDOFF_PAGES = 13;

    private static final Set<GlobalField> DYNAMIC_PAMT =
            EnumSet.of(
                    GlobalField.PAMT_PAGE_BITMAP_ENTRY_BITS,
                    GlobalField.MIN_DYNAMIC_PAMT_NUM_HKID_BITS);

    private static final Set<GlobalField> GUEST_READABLE =
            EnumSet.of(
                    GlobalField.VENDOR_ID,
                    GlobalField.MINOR_VERSION,
                    GlobalField.MAJOR_VERSION,
                    GlobalField.SYS_ATTRIBUTES,
                    GlobalField.NUM_TDX_FEATURES,
                    GlobalField.TDX_FEATURES0,
                    GlobalField.MIG_ATTRIBUTES,
                    GlobalField.MIN_EXPORT_VERSION,
                    GlobalField.MAX_EXPORT_VERSION,
                    GlobalField.MIN_IMPORT_VERSION,
                    GlobalField.MAX_IMPORT_VERSION,
                    GlobalField.GUEST_L2_GPA_ATTR_MASK);

    /** Fields of more than one element; shape as fields and elements. */
    private static final Map<GlobalField, int[]> ARRAYS = new EnumMap<>(GlobalField.class);

    static {
        ARRAYS.put(GlobalField.PKG_FMS, new int[] {PACKAGES, 1});
        ARRAYS.put(GlobalField.CMR_BASE, new int[] {MAX_CMRS, 1});
        ARRAYS.put(GlobalField.CMR_SIZE, new int[] {MAX_CMRS, 1});
        ARRAYS.put(GlobalField.CPUID_CONFIG_LEAVES, new int[] {CPUID_ROWS, 1});
        ARRAYS.put(GlobalField.CPUID_CONFIG_VALUES, new int[] {CPUID_ROWS, 2});
        ARRAYS.put(GlobalField.ALLOWED_FMS, new int[] {FMS_LIST, 1});
        ARRAYS.put(GlobalField.DISALLOWED_FMS, new int[] {FMS_LIST, 1});
    }

    private final List<GlobalField> rows = new ArrayList<>();
    private final FieldCatalog catalog;
    private final MachineProfile profile;
    private final ModuleProfile module;

    public SysFields(MachineProfile profile) {
        this.profile = profile;
        this.module = profile.module();
        List<FieldSpec> specs = new ArrayList<>();
        boolean dynamic = module.hasFeature(ModuleProfile.FEATURE_DYNAMIC_PAMT);
        for (GlobalField field : GlobalField.values()) {
            if (dynamic || !DYNAMIC_PAMT.contains(field)) {
                rows.add(field);
                specs.add(spec(field));
            }
        }
        this.catalog = new FieldCatalog(specs);
    }

    /** Identities and order. */
    public FieldCatalog catalog() {
        return catalog;
    }

    /** The fields as host or guest may see them; nobody writes them. */
    public FieldView view(FieldAccess access) {
        return new View(access);
    }

    /** A list of the fields that host or guest may see. */
    public FieldListWriter list(FieldAccess access, byte[] buffer) {
        return new FieldListWriter(catalog, this::value, access, buffer);
    }

    private final class View implements FieldView {
        private final FieldAccess access;

        View(FieldAccess access) {
            this.access = access;
        }

        @Override
        public FieldCatalog catalog() {
            return catalog;
        }

        @Override
        public FieldAccess access() {
            return access;
        }

        @Override
        public long value(int row, int element) {
            return SysFields.this.value(row, element);
        }

        @Override
        public long store(int row, int element, long value, long written) {
            throw new AssertionError("nobody writes global fields");
        }
    }

    /** Value of an element. */
    public long value(int row, int element) {
        GlobalField field = rows.get(row);
        return switch (field) {
            case NUM_PKGS -> profile.packages();
            case PKG_FMS -> element < profile.packages() ? PlatformValues.FMS : 0;
            case VENDOR_ID -> VENDOR_INTEL;
            case MINOR_VERSION -> module.minor();
            case MAJOR_VERSION -> module.major();
            case UPDATE_VERSION -> module.update();
            case MODULE_HV, NO_DOWNGRADE, NUM_TDX_FEATURES, MAX_SERV_TDS -> 1;
            case NUM_HANDOFF_PAGES -> HANDOFF_PAGES;
            case TDX_FEATURES0 -> module.features0();
            case NUM_CMRS -> MAX_CMRS;
            case CMR_BASE -> cmr(element) == null ? 0 : profile.cmrs().get(element).start();
            case CMR_SIZE -> cmr(element) == null ? 0 : profile.cmrs().get(element).size();
            case MAX_TDMRS -> module.maxTdmrs();
            case MAX_RESERVED_PER_TDMR -> module.maxReservedPerTdmr();
            case PAMT_4K_ENTRY_SIZE, PAMT_2M_ENTRY_SIZE, PAMT_1G_ENTRY_SIZE ->
                    module.pamtEntrySize();
            case PAMT_PAGE_BITMAP_ENTRY_BITS -> module.bitmapBitsPerPage();
            case MIN_DYNAMIC_PAMT_NUM_HKID_BITS ->
                    Math.max(0, profile.physicalBits() - MAX_DYNAMIC_ADDRESS_BITS);
            case TDR_BASE_SIZE -> PAGE;
            case TDCS_BASE_SIZE -> (long) module.tdcsPages() * PAGE;
            case TDCS_SIZE_PER_L2_VM -> PAGE;
            case TDVPS_BASE_SIZE -> (long) module.tdvpsPages() * PAGE;
            case TDVPS_SIZE_PER_L2_VM -> 3L * PAGE;
            case MAX_VCPUS_PER_TD -> module.maxVcpusPerTd();
            case NUM_ALLOWED_FMS -> 1;
            case ALLOWED_FMS -> element == 0 ? PlatformValues.FMS : 0;
            default -> configurability(field, element);
        };
    }

    private static long configurability(GlobalField field, int element) {
        return switch (field) {
            case ATTRIBUTES_FIXED0 -> PlatformValues.ATTRIBUTES_FIXED0;
            case XFAM_FIXED0 -> PlatformValues.XFAM_FIXED0;
            case XFAM_FIXED1 -> PlatformValues.XFAM_FIXED1;
            case CONFIG_FLAGS_FIXED0 -> PlatformValues.CONFIG_FLAGS_FIXED0;
            case NUM_CPUID_CONFIG -> CpuidConfig.rows();
            case MIN_VIRT_MAXPA -> PlatformValues.MIN_VIRTUAL_MAXPA;
            case MAX_EVENT_FILTERS -> PlatformValues.MAX_EVENT_FILTERS;
            case CPUID_CONFIG_LEAVES ->
                    element < CpuidConfig.rows() ? CpuidConfig.id(element) : -1L;
            case CPUID_CONFIG_VALUES ->
                    element / 2 < CpuidConfig.rows()
                            ? CpuidConfig.configurable(element / 2, element % 2)
                            : 0;
            case IA32_ARCH_CAPABILITIES_CONFIG_MASK -> PlatformValues.ARCH_CAPABILITIES_CONFIG_MASK;
            case MAX_MIGS -> 512;
            case NUM_IMMUTABLE_STATE_PAGES -> 4;
            case NUM_TD_STATE_PAGES -> 2;
            case NUM_VP_STATE_PAGES -> 9;
            case SERVTD_ATTR_FIXED0 -> 0x0000_07FF_0000_0001L;
            case GUEST_L2_GPA_ATTR_MASK -> 0x807F;
            case VM_CTLS_FIXED0 -> 0x1;
            case VPCU_L2_CTLS_FIXED0 -> 0x3;
            case VPCU_L2_DEBUG_CTLS_FIXED0 -> 0x7;
            // Build numbers, handoff data and everything else that reads as zero here.
            default -> 0;
        };
    }

    private static FieldSpec spec(GlobalField field) {
        int[] shape = ARRAYS.getOrDefault(field, new int[] {1, 1});
        long guest = GUEST_READABLE.contains(field) ? FieldSpec.ALL : 0;
        return new FieldSpec(
                field.name(),
                field.id(),
                shape[0],
                shape[1],
                FieldSpec.ALL,
                FieldSpec.ALL,
                0,
                0,
                guest,
                0);
    }

    private @org.jspecify.annotations.Nullable AddressRange cmr(int index) {
        return index < profile.cmrs().size() ? profile.cmrs().get(index) : null;
    }
}
