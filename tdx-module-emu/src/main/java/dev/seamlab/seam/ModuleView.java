// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam;

import dev.seamlab.machine.Pfn;
import dev.seamlab.seam.abi.LifecycleState;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.core.SysState;
import dev.seamlab.seam.pamt.PamtInspector;
import dev.seamlab.seam.td.Tdr;
import org.jspecify.annotations.Nullable;

/**
 * A read-only look inside the module. Not part of the ABI: for auditors, metrics and tests only. No
 * host code may decide anything by it.
 */
public final class ModuleView {
    private final ModuleState state;

    ModuleView(ModuleState state) {
        this.state = state;
    }

    /** Where the module stands. */
    public SysState sysState() {
        return state.sysState();
    }

    /** Whether SYS.CONFIG enabled Dynamic PAMT. */
    public boolean dynamicPamt() {
        return state.pamt().dynamic();
    }

    /** Snapshots of page metadata. */
    public PamtInspector pamt() {
        return new PamtInspector(state.pamt());
    }

    /** Whether a KeyID is given to a TD or waits for its cache write-back. */
    public boolean isKeyInUse(int hkid) {
        return switch (state.keys().state(hkid)) {
            case FREE, RESERVED -> false;
            case ASSIGNED, FLUSHED -> true;
        };
    }

    /** CHLDCNT of a TD: its 4K pages without the TDR. -1 where no TD starts at the page. */
    public long childCount(@Pfn long tdr) {
        @Nullable Tdr td = state.tds().get(tdr);
        return td == null ? -1 : td.children();
    }

    /** Lifecycle of the TD whose TDR is at a page, or null. */
    public @Nullable LifecycleState lifecycle(@Pfn long tdr) {
        @Nullable Tdr td = state.tds().get(tdr);
        return td == null ? null : td.lifecycle();
    }
}
