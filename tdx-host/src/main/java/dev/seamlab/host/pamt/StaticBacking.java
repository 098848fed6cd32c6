// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.machine.Pfn;

/** Without Dynamic PAMT all 4K entries exist since boot: get succeeds, put does nothing. */
public final class StaticBacking implements PamtBacking {
    @Override
    public int get(HostCpu cpu, @Pfn long pfn, PairSource pairs) {
        return Errno.OK;
    }

    @Override
    public void put(HostCpu cpu, @Pfn long pfn) {
        // The entries stay.
    }
}
