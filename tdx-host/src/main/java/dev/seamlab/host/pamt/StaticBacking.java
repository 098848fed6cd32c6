// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.pamt;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;

/** Without Dynamic PAMT all 4K entries exist since boot: get succeeds, put does nothing. */
public final class StaticBacking implements PamtBacking {
    private final Lock lock = new Lock(LockRank.PAMT);

    @Override
    public int get(HostCpu cpu, @Pfn long pfn, PairSource pairs) {
        return Errno.OK;
    }

    @Override
    public void put(HostCpu cpu, @Pfn long pfn) {
        // The entries stay.
    }

    @Override
    public Lock lock() {
        return lock;
    }
}
