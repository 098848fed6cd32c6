// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/** Ordinary VMs that live and die beside the TDs of a host. One thread. */
public final class OrdinaryVms implements AutoCloseable {
    private final TdxHost host;
    private final List<OrdinaryVm> alive = new ArrayList<>();

    public OrdinaryVms(TdxHost host) {
        this.host = host;
    }

    /** How many there are. */
    public int alive() {
        return alive.size();
    }

    /** A VM of a size, some MiB of which its two vCPUs touch, and a part of that is given back. */
    public void createOne(long size, int mib, Random random) {
        OrdinaryVm vm = new OrdinaryVm(host, 2);
        alive.add(vm);
        ok(vm.addMemslot(0, size));
        OrdinaryVm.Vcpu[] vcpus = {vcpu(vm), vcpu(vm)};
        @Gpa long from = (long) random.nextInt((int) (size >>> 21)) << 20;
        for (long gpa = from; gpa < from + ((long) mib << 20); gpa += Addresses.PAGE_SIZE) {
            ok(vcpus[random.nextInt(2)].touch(gpa));
        }
        vm.discard(from, 1 << 19);
    }

    /** The end of one of them. */
    public void destroyOne(Random random) {
        alive.remove(random.nextInt(alive.size())).destroy();
    }

    @Override
    public void close() {
        alive.forEach(OrdinaryVm::destroy);
        alive.clear();
    }

    private static OrdinaryVm.Vcpu vcpu(OrdinaryVm vm) {
        OrdinaryVm.Vcpu vcpu = vm.createVcpu();
        if (vcpu == null) {
            throw new AssertionError("no vCPU");
        }
        return vcpu;
    }

    private static void ok(int result) {
        if (result != Errno.OK) {
            throw new AssertionError(Errno.name(result));
        }
    }
}
