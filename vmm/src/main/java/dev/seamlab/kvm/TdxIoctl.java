// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.TdxStep.Locks;
import dev.seamlab.kvm.TdxStep.Scope;
import org.jspecify.annotations.Nullable;

/**
 * KVM_MEMORY_ENCRYPT_OP: what all steps of {@link TdxStep} have in common, in the kernel's order: a
 * bugged VM, or a dead one for all but TERMINATE_VM (EIO), the envelope (EFAULT, then EINVAL for
 * {@code hw_error}), the locks (EBUSY), for vCPU steps a TD that has its KeyID and is not finalised
 * (EINVAL), and only then whether the step exists here at all (EINVAL).
 */
final class TdxIoctl {
    /** ENOIOCTLCMD: not for the handler that holds all the locks; ask the next one. */
    private static final int NOT_HERE = -515;

    private TdxIoctl() {}

    /** On the VM. */
    static int vm(KvmTdx vm, @Nullable TdxCmd cmd) {
        int bad = envelope(vm, cmd);
        if (bad != Errno.OK || cmd == null) {
            return bad;
        }
        TdxStep step = TdxStep.of(cmd.id());
        if (step == TdxStep.CAPABILITIES) {
            return step.handler().run(vm, null, cmd);
        }
        if (step != null && step.locks() == Locks.TRY_VCPUS) {
            return withKvmLock(vm, () -> step.handler().run(vm, null, cmd));
        }
        return vm.guarded(
                null,
                () ->
                        step == null || step.scope() != Scope.VM
                                ? Errno.EINVAL
                                : step.handler().run(vm, null, cmd));
    }

    /** On a vCPU. */
    static int vcpu(KvmTdx vm, KvmVcpu vcpu, @Nullable TdxCmd cmd) {
        int bad = envelope(vm, cmd);
        if (bad != Errno.OK || cmd == null) {
            return bad;
        }
        TdxStep known = TdxStep.of(cmd.id());
        TdxStep step = known != null && known.scope() == Scope.VCPU ? known : null;
        int result =
                vm.guarded(
                        vcpu,
                        () -> {
                            if (!isBeingBuilt(vm)) {
                                return Errno.EINVAL;
                            }
                            return step != null && step.locks() == Locks.ALL
                                    ? step.handler().run(vm, vcpu, cmd)
                                    : NOT_HERE;
                        });
        return result == NOT_HERE ? withVcpuMutex(vm, vcpu, step, cmd) : result;
    }

    private static int withVcpuMutex(KvmTdx vm, KvmVcpu vcpu, @Nullable TdxStep step, TdxCmd cmd) {
        vcpu.mutex().lock();
        try {
            return step == null || !isBeingBuilt(vm)
                    ? Errno.EINVAL
                    : vm.working(() -> step.handler().run(vm, vcpu, cmd));
        } finally {
            vcpu.mutex().unlock();
        }
    }

    private static boolean isBeingBuilt(KvmTdx vm) {
        return vm.hasKeyId() && !vm.isRunnable();
    }

    private static int withKvmLock(KvmTdx vm, StateGuard.Step step) {
        vm.kvmLock().lock();
        try {
            return step.run();
        } finally {
            vm.kvmLock().unlock();
        }
    }

    /**
     * The last posting of TERMINATE_VM (July 2025) comes with a change that refuses ioctls of a
     * bugged VM only. What the others may still do on a dead one was open in its review; here they
     * stay refused.
     */
    private static boolean isTerminate(@Nullable TdxCmd cmd) {
        return cmd != null && cmd.id() == TdxStep.TERMINATE_VM.id();
    }

    private static int envelope(KvmTdx vm, @Nullable TdxCmd cmd) {
        if (vm.isBugged() || (vm.isDead() && !isTerminate(cmd))) {
            return Errno.EIO;
        }
        if (cmd == null) {
            return Errno.EFAULT;
        }
        return cmd.hwError() == 0 ? Errno.OK : Errno.EINVAL;
    }
}
