// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.init;

/** Steps of bring-up, in order (facts: Linux sheet sections 2.1 and 2.2). */
public enum InitStep {
    /** Reading which KeyIDs are private. */
    KEYID_PARTITION("KeyID partitioning"),
    SYS_INIT("TDH.SYS.INIT"),
    LP_INIT("TDH.SYS.LP.INIT"),
    METADATA("global metadata"),
    REFCOUNTS("PAMT refcounts"),
    MEMORY_LIST("TDX memory list"),
    TDMR_ARRAY("TDMR array"),
    TDMRS("TDMR construction"),
    PAMT("PAMT allocation"),
    RESERVED_AREAS("reserved areas"),
    SYS_CONFIG("TDH.SYS.CONFIG"),
    KEY_CONFIG("TDH.SYS.KEY.CONFIG"),
    TDMR_INIT("TDH.SYS.TDMR.INIT");

    private final String title;

    /**
     * Whether the kernel says that module initialisation failed when this step does: what comes
     * before reading metadata is detection, and CPU hotplug's.
     */
    public boolean isModuleInitialisation() {
        return compareTo(METADATA) >= 0;
    }

    InitStep(String title) {
        this.title = title;
    }

    /** For people. */
    public String title() {
        return title;
    }
}
