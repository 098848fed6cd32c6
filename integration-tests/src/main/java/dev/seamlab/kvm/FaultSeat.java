// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;

/**
 * The place from which VP.ENTER's loop hands EPT violations to the fault path, without the guest:
 * one vCPU's faults, one after the other, on a CPU that is claimed once for all of them.
 */
public final class FaultSeat {
    private final KvmTdx vm;
    private final KvmVcpu vcpu;

    /** The seat of a vCPU that does not run meanwhile. */
    public FaultSeat(KvmTdx vm, KvmVcpu vcpu) {
        this.vm = vm;
        this.vcpu = vcpu;
    }

    /**
     * Serves a private fault on each page of {@code gfns} from place {@code from} to {@code to} in
     * steps; each must succeed.
     */
    public void fault(int[] gfns, int from, int to, int step) {
        HostCpu cpu = vcpu.claimCpu();
        try {
            for (int i = from; i < to; i += step) {
                int result = vm.faults().handle(cpu, vcpu, gfns[i], true, FaultPath.NO_ACCEPT);
                if (result != Errno.OK) {
                    throw new IllegalStateException(
                            "the fault on page " + gfns[i] + " ended with " + result);
                }
            }
        } finally {
            vm.release(cpu);
        }
    }
}
