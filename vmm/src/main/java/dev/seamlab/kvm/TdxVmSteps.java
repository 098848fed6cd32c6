// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.VmLife.Stage;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;

/**
 * The steps of a VM as a whole, each with its checks in the kernel's order. See {@link TdxStep}.
 */
final class TdxVmSteps {
    private TdxVmSteps() {}

    static int capabilities(KvmTdx vm, TdxCmd cmd) {
        if (cmd.flags() != 0) {
            return Errno.EINVAL;
        }
        Capabilities out = cmd.data(Capabilities.class);
        if (out == null) {
            return Errno.EFAULT;
        }
        if (out.cpuid().nent() < vm.host().info().cpuidConfig().size()) {
            return Errno.E2BIG;
        }
        if (Capabilities.supportedAttributes(vm.host().info()) == 0
                || Capabilities.supportedXfam(vm.host().info()) == 0) {
            return Errno.EIO;
        }
        out.fill(vm.host().info());
        return Errno.OK;
    }

    static int initVm(KvmTdx vm, TdxCmd cmd) {
        if (vm.life().stage() != Stage.UNINITIALIZED || cmd.flags() != 0) {
            return Errno.EINVAL;
        }
        InitVm wanted = cmd.data(InitVm.class);
        if (wanted == null) {
            return Errno.EFAULT;
        }
        if (wanted.cpuid().size() > CpuidList.MAX_ENTRIES) {
            return Errno.E2BIG;
        }
        if (wanted.reserved() != 0) {
            return Errno.EINVAL;
        }
        TdSetup setup = new TdSetup(wanted, vm.host().info(), vm.vcpuTable().max());
        int result = setup.check(vm.vcpuTable().created());
        if (result != Errno.OK) {
            return result;
        }
        TdBuild build = new TdBuild(vm, vm.host());
        result = build.run(setup);
        cmd.hwError(build.hwError());
        if (result == Errno.OK) {
            vm.initialised(setup.config(), build.pages());
        }
        return result;
    }

    static int finalizeVm(KvmTdx vm, TdxCmd cmd) {
        if (!vm.hasKeyId() || vm.isRunnable()) {
            return Errno.EINVAL;
        }
        HostCpu cpu = vm.claimAny();
        try {
            cmd.hwError(vm.host().tdh().mng().mrFinalize(cpu, vm.tdr()));
        } finally {
            vm.release(cpu);
        }
        if (StatusCode.OPERAND_BUSY.matches(cmd.hwError())) {
            vm.note(Leaf.MR_FINALIZE, cmd.hwError());
            return Errno.EBUSY;
        }
        if (cmd.hwError() != Status.SUCCESS) {
            vm.bug(Leaf.MR_FINALIZE, cmd.hwError());
            return Errno.EIO;
        }
        vm.life().finalised();
        return Errno.OK;
    }

    /**
     * No merged kernel that we know of has this step: it was posted several times in 2025, queued
     * for 6.17 and not taken, and is in review since July. This is the posting but for one gap.
     *
     * <p>The vCPUs' mutexes are tried, so a vCPU inside KVM_RUN makes this EBUSY; once all are held
     * the VM is dead, and no vCPU can run or fault any more when they are let go. A KeyID that is
     * gone already is no error.
     *
     * <p>SLOTS is held meanwhile, so that no removal is under way: from VPFLUSHDONE on the module
     * refuses BLOCK, and before KEY.FREEID it refuses RECLAIM. The posting takes mmu_lock for
     * writing instead, and only after VPFLUSHDONE. A removal that comes in between, a hole punched
     * into the guest_memfd or an ioctl that had found the VM alive, still sees the KeyID assigned;
     * BLOCK is refused, and the page is lost. That gap is in the museum (R-44B) and no variant of
     * its own: there is no kernel that has it, and mmu_lock spins while CPUs are claimed here, as
     * it may in the kernel, which interrupts the other packages instead.
     */
    static int terminate(KvmTdx vm) {
        KvmVcpu[] vcpus = vm.vcpus();
        for (int i = 0; i < vcpus.length; i++) {
            if (!vcpus[i].mutex().tryLock()) {
                unlock(vcpus, i);
                return Errno.EBUSY;
            }
        }
        vm.die();
        unlock(vcpus, vcpus.length);
        return vm.underSlots(() -> {
            vm.teardown().releaseKeyId();
            return Errno.OK;
        });
    }

    private static void unlock(KvmVcpu[] vcpus, int count) {
        for (int i = count - 1; i >= 0; i--) {
            vcpus[i].mutex().unlock();
        }
    }
}
