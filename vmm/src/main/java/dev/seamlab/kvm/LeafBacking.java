// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.machine.Pfn;

/**
 * When 4K leaves get their backing on a host whose tables have it before the MMU lock: {@link
 * PooledLeaf} or {@link LookedUpLeaf}.
 */
interface LeafBacking {
    /** Before an attempt; may allocate. OK or ENOMEM. */
    int topUp(HostCpu cpu, KvmVcpu vcpu);

    /** The page is known and MMU is not held yet; may allocate. OK, ENOMEM or EIO. */
    int lookedUp(HostCpu cpu, KvmVcpu vcpu, @Pfn long page);

    /** Right before the module gets the page, under MMU. OK, ENOMEM or EIO. */
    int beforeMap(HostCpu cpu, KvmVcpu vcpu, @Pfn long page);

    /** The module took the page, or did not; under MMU. */
    void afterMap(HostCpu cpu, KvmVcpu vcpu, @Pfn long page, boolean mapped);

    /** The attempt is over and MMU is let go. */
    void settle(HostCpu cpu, KvmVcpu vcpu, @Pfn long page);
}
