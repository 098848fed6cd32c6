// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.machine.Addresses;

/** Faults that no guest asked for: AUG without ACCEPT. The VM's vCPUs do not run meanwhile. */
public final class Prefaults {
    private Prefaults() {}

    /** Maps what covers a guest address, at this level if possible, on behalf of vCPU 0. */
    public static int at(KvmTdx vm, long gpa, int level) {
        HostCpu cpu = vm.claimAny();
        try {
            int result = FaultPath.RETRY;
            while (result == FaultPath.RETRY) {
                result = vm.faults().attempt(cpu, vm.vcpus()[0], Addresses.gfn(gpa), true, level);
            }
            return result;
        } finally {
            vm.release(cpu);
        }
    }

    /** Maps it and fails where that does not work. */
    public static void map(KvmTdx vm, long gpa, int level) {
        int result = at(vm, gpa, level);
        if (result != Errno.OK) {
            throw new AssertionError(Errno.name(result) + " " + vm.lastAnswer());
        }
    }
}
