// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import dev.seamlab.host.init.SystemInfo;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What /sys/devices/faux/tdx_host shows of the module. The kernel has {@code version} there; the
 * other names are ours, for the metadata that the kernel reads and keeps to itself. Those of the
 * P-SEAMLDR are missing, because the model has none.
 */
final class HostAttributes {
    private HostAttributes() {}

    static Map<String, String> of(SystemInfo info) {
        Map<String, String> values = new LinkedHashMap<>();
        values.put("version", version(info));
        values.put("features0", hex(info.features0()));
        values.put("max_tdmrs", number(info.maxTdmrs()));
        values.put("max_reserved_per_tdmr", number(info.maxReservedPerTdmr()));
        values.put("pamt_4k_entry_size", number(info.pamt().entry4k()));
        values.put("pamt_2m_entry_size", number(info.pamt().entry2m()));
        values.put("pamt_1g_entry_size", number(info.pamt().entry1g()));
        if (info.hasDynamicPamt()) {
            values.put("pamt_page_bitmap_entry_bits", number(info.pamt().bitmapBits()));
        }
        values.put("tdr_base_size", number(info.tdrBytes()));
        values.put("tdcs_base_size", number(info.tdcsBytes()));
        values.put("tdvps_base_size", number(info.tdvpsBytes()));
        values.put("max_vcpus_per_td", number(info.maxVcpusPerTd()));
        values.put("attributes_fixed0", hex(info.attributesFixed0()));
        values.put("attributes_fixed1", hex(info.attributesFixed1()));
        values.put("xfam_fixed0", hex(info.xfamFixed0()));
        values.put("xfam_fixed1", hex(info.xfamFixed1()));
        return Collections.unmodifiableMap(values);
    }

    /** The version as the kernel writes it. */
    static String version(SystemInfo info) {
        return String.format(
                "%d.%d.%02d", info.majorVersion(), info.minorVersion(), info.updateVersion());
    }

    private static String number(int value) {
        return Integer.toString(value);
    }

    private static String hex(long value) {
        return String.format("0x%x", value);
    }
}
