// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import org.jspecify.annotations.Nullable;

/**
 * The KVM_TDX_* steps in one table: number, where they are called, which locks they hold, which
 * handler does them (facts: Linux sheet section 4.9). What every step has in common, that is the
 * envelope and the locks, is done in {@link TdxIoctl}; what one step checks, and in which order, in
 * its handler.
 *
 * <pre>
 *   step             on    locks        TD must be      vCPU must be    flags    data
 *   CAPABILITIES     VM    none         anything        -               0        Capabilities, out
 *   INIT_VM          VM    all          UNINITIALIZED   -               0        InitVm
 *   INIT_VCPU        vCPU  all          INITIALIZED     uninitialised   0        first RCX, a Long
 *   INIT_MEM_REGION  vCPU  all          INITIALIZED     initialised     MEASURE  MemRegion, in and out
 *   FINALIZE_VM      VM    all          INITIALIZED     -               any      none
 *   GET_CPUID        vCPU  all, vCPU's  INITIALIZED     anything        any      CpuidList, in and out
 *   TERMINATE_VM     VM    kvm, try     with a KeyID    not running     any      none
 * </pre>
 *
 * <p>"All" is {@link VmStateGuard}. GET_CPUID goes through it and then takes its vCPU's mutex: the
 * kernel only learns that the step is not for the guarded handler once it has the guard.
 * TERMINATE_VM is not in mainline; it is modelled after its last posting (July 2025), which tries
 * the vCPUs' mutexes instead of waiting for them, and is open to a VM that is dead and not bugged.
 */
public enum TdxStep {
    /** What a TD may be given. */
    CAPABILITIES(0, Scope.VM, Locks.NONE, (vm, vcpu, cmd) -> TdxVmSteps.capabilities(vm, cmd)),
    /** Builds TDR and TDCS. */
    INIT_VM(1, Scope.VM, Locks.ALL, (vm, vcpu, cmd) -> TdxVmSteps.initVm(vm, cmd)),
    /** Builds TDVPR and TDCX pages of a vCPU. */
    INIT_VCPU(2, Scope.VCPU, Locks.ALL, (vm, vcpu, cmd) -> of(vcpu).initVcpu(cmd)),
    /** Adds pages with contents, measured or not. */
    INIT_MEM_REGION(3, Scope.VCPU, Locks.ALL, (vm, vcpu, cmd) -> of(vcpu).initMemRegion(cmd)),
    /** Ends the build: MRTD is final, vCPUs may run. */
    FINALIZE_VM(4, Scope.VM, Locks.ALL, (vm, vcpu, cmd) -> TdxVmSteps.finalizeVm(vm, cmd)),
    /** The CPUID that the guest sees. */
    GET_CPUID(5, Scope.VCPU, Locks.VCPU, (vm, vcpu, cmd) -> TdCpuid.get(vm, cmd)),
    /** Releases the KeyID early, so that pages can be reclaimed instead of removed. */
    TERMINATE_VM(6, Scope.VM, Locks.TRY_VCPUS, (vm, vcpu, cmd) -> TdxVmSteps.terminate(vm));

    /** What the step is called on. */
    enum Scope {
        VM,
        VCPU
    }

    /** What is held while the step runs. */
    enum Locks {
        NONE,
        ALL,
        VCPU,
        TRY_VCPUS
    }

    /** Does a step, with its locks held. */
    interface Handler {
        int run(KvmTdx vm, @Nullable KvmVcpu vcpu, TdxCmd cmd);
    }

    private static final TdxStep[] STEPS = values();

    private final int id;
    private final Scope scope;
    private final Locks locks;
    private final Handler handler;

    TdxStep(int id, Scope scope, Locks locks, Handler handler) {
        this.id = id;
        this.scope = scope;
        this.locks = locks;
        this.handler = handler;
    }

    /** Number in the envelope. */
    public int id() {
        return id;
    }

    Scope scope() {
        return scope;
    }

    Locks locks() {
        return locks;
    }

    Handler handler() {
        return handler;
    }

    /** The step with a number, or null. */
    static @Nullable TdxStep of(int id) {
        return id >= 0 && id < STEPS.length ? STEPS[id] : null;
    }

    private static KvmVcpu of(@Nullable KvmVcpu vcpu) {
        if (vcpu == null) {
            throw new AssertionError("a step of a vCPU was called on a VM");
        }
        return vcpu;
    }
}
