// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.step;

import dev.seamlab.guest.GuestProgram;
import dev.seamlab.guest.Op;
import dev.seamlab.guest.Workload;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.OrdinaryVm;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.vmm.Outcome;
import dev.seamlab.vmm.VcpuExit;
import dev.seamlab.vmm.step.StepVmView.Progress;
import dev.seamlab.vmm.step.StepVmView.Region;
import dev.seamlab.vmm.step.StepVmView.State;
import dev.seamlab.vmm.step.StepVmView.VcpuView;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * KVM_X86_DEFAULT_VM. Its guests do nothing but touch memory, which is all that is modelled of
 * them; slots can be added and not taken away.
 */
final class OrdinaryStepVm extends StepVm {
    private final OrdinaryVm vm;
    private final List<OrdinaryVm.Vcpu> vcpus = new ArrayList<>(); // guarded by this

    OrdinaryStepVm(String id, OrdinaryVm vm) {
        super(id);
        this.vm = vm;
    }

    OrdinaryVm vm() {
        return vm;
    }

    @Override
    public synchronized StepVmView view() {
        return new StepVmView(
                id(), false, State.ORDINARY, vcpus.size(), 0, List.copyOf(regions().values()), 0);
    }

    @Override
    public Outcome<StepVm> setMemoryRegion(Region region) {
        String ioctl = "KVM_SET_USER_MEMORY_REGION2";
        return inside(() -> {
            synchronized (this) {
                if (region.size() == 0 || regions().containsKey(region.slot())) {
                    return failed(ioctl, Errno.EINVAL);
                }
                int result = vm.addMemslot(region.gpa(), region.size());
                if (result != Errno.OK) {
                    return failed(ioctl, result);
                }
                regions().put(region.slot(), region);
                return Outcome.done(this);
            }
        });
    }

    /** Such a machine has no private memory, so "shared" is all there is. */
    @Override
    public Outcome<StepVm> setMemoryAttributes(@Gpa long gpa, long size, boolean isPrivate) {
        boolean sound =
                !isPrivate
                        && size > 0
                        && gpa >= 0
                        && Addresses.isAligned(gpa | size, Addresses.PAGE_SIZE);
        return sound ? Outcome.done(this) : failed("KVM_SET_MEMORY_ATTRIBUTES", Errno.EINVAL);
    }

    @Override
    public Outcome<VcpuView> createVcpu() {
        return inside(() -> {
            synchronized (this) {
                OrdinaryVm.Vcpu vcpu = vm.createVcpu();
                if (vcpu == null) {
                    return failed("KVM_CREATE_VCPU", Errno.EINVAL);
                }
                vcpus.add(vcpu);
                return Outcome.done(new VcpuView(id(), vcpus.size() - 1, true, -1));
            }
        });
    }

    @Override
    public Outcome<Progress> preFault(int index, @Gpa long gpa, long size, Signal signal) {
        String ioctl = "KVM_PRE_FAULT_MEMORY";
        return inside(() -> {
            OrdinaryVm.Vcpu vcpu = vcpu(index);
            if (vcpu == null) {
                return noVcpu(index);
            }
            if (!Addresses.isAligned(gpa | size, Addresses.PAGE_SIZE)
                    || gpa < 0
                    || gpa + size < gpa) {
                return failed(ioctl, Errno.EINVAL);
            }
            long at = gpa;
            while (at < gpa + size && !isClosed()) {
                int result = touch(vcpu, at);
                if (result != Errno.OK) {
                    return at > gpa
                            ? Outcome.done(new Progress(at, gpa + size - at))
                            : failed(ioctl, result == Errno.EFAULT ? Errno.ENOENT : result);
                }
                at += Addresses.PAGE_SIZE;
            }
            return Outcome.done(new Progress(at, gpa + size - at));
        });
    }

    @Override
    public Outcome<VcpuExit> run(int index, @Nullable Workload piece, Signal signal) {
        return inside(() -> {
            OrdinaryVm.Vcpu vcpu = vcpu(index);
            if (vcpu == null) {
                return noVcpu(index);
            }
            if (!(piece instanceof GuestProgram program)
                    || !program.ops().stream().allMatch(Op.Touch.class::isInstance)) {
                return failed("KVM_RUN", Errno.EINVAL);
            }
            for (Op op : program.ops()) {
                if (op instanceof Op.Touch(var range, var _, var _)) {
                    for (long at = range.start(); at < range.end(); at += Addresses.PAGE_SIZE) {
                        if (isClosed()) {
                            return Outcome.done(new VcpuExit.Interrupted());
                        }
                        int result = touch(vcpu, at);
                        if (result == Errno.EFAULT) {
                            return Outcome.done(new VcpuExit.MemoryFault(at, false));
                        }
                        if (result != Errno.OK) {
                            return Outcome.done(
                                    new VcpuExit.Failed(Errno.name(result), "the fault failed"));
                        }
                    }
                }
            }
            return Outcome.done(new VcpuExit.Halted());
        });
    }

    /** A vCPU is for one thread at a time. */
    private static int touch(OrdinaryVm.Vcpu vcpu, @Gpa long gpa) {
        synchronized (vcpu) {
            return vcpu.touch(gpa);
        }
    }

    private synchronized OrdinaryVm.@Nullable Vcpu vcpu(int index) {
        return index < vcpus.size() ? vcpus.get(index) : null;
    }

    @Override
    void kickAll() {
        // Its vCPUs look after each page whether it is closed.
    }

    @Override
    void destroy() {
        vm.destroy();
    }
}
