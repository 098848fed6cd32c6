// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.machine.Gfn;
import dev.seamlab.seam.abi.PageInfo;

/** At which level private faults are mapped: {@link #SMALL}, or {@link LargeLeaves}. */
interface LeafLevels {
    /** Everything at 4K, as the merged code does. */
    LeafLevels SMALL =
            new LeafLevels() {
                @Override
                public int makeRoom(HostCpu cpu, @Gfn long gfn, int acceptLevel) {
                    return Errno.OK;
                }

                @Override
                public int levelOf(Memslot slot, @Gfn long gfn, int acceptLevel) {
                    return PageInfo.LEVEL_4K;
                }
            };

    /**
     * Splits what a guest that accepts at {@code acceptLevel} cannot accept as it is mapped. MMU is
     * not held; may allocate.
     *
     * @param acceptLevel level of the guest's ACCEPT, or {@link FaultPath#NO_ACCEPT}
     * @return OK, ENOMEM or EIO
     */
    int makeRoom(HostCpu cpu, @Gfn long gfn, int acceptLevel);

    /** Level to map a guest page at, as far as slot, attributes and the guest's wish tell. */
    int levelOf(Memslot slot, @Gfn long gfn, int acceptLevel);
}
