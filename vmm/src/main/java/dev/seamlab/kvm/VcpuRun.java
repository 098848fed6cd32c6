// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.sched.Waits;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;

/**
 * The loop around VP.ENTER. The vCPU's thread claims a CPU, enters until something needs more than
 * KVM, and gives the CPU back when another thread wants it, when the world is to be stopped, when
 * the guest halts, and before user space takes over.
 *
 * <p>Served here: EPT violations, external interrupts, and TDVMCALLs that need no user space. The
 * path of a private fault allocates nothing.
 */
final class VcpuRun {
    private static final int REASON_MASK = 0xFFFF_FFFF;
    private static final int EXTENDED_TYPE_MASK = 0xF;

    /** Extended exit qualification of an ACCEPT: the level that the guest asked for. */
    private static final int ACCEPT_LEVEL_SHIFT = 32;

    private static final int ACCEPT_LEVEL_MASK = 0x7;

    /** What to do after one TD exit. */
    private enum Next {
        /** Enter the guest again. */
        ENTER,
        /** Leave the CPU and decide again. */
        YIELD,
        /** Leave the CPU and sleep until somebody asks the vCPU to leave. */
        HALT,
        /** Leave the CPU and tell user space, see {@link #exit}. */
        EXIT
    }

    private final KvmTdx vm;
    private final KvmVcpu vcpu;
    private final VcpuMode mode;

    /** The guest's registers after a TDVMCALL, with KVM's answers: they go in at the next entry. */
    private final Registers gprs;

    private final Tdvmcalls tdvmcalls;
    private boolean answerPending;
    private KvmExit exit = new KvmExit.Interrupted();

    VcpuRun(KvmTdx vm, KvmVcpu vcpu, VcpuMode mode, Registers gprs) {
        this.vm = vm;
        this.vcpu = vcpu;
        this.mode = mode;
        this.gprs = gprs;
        this.tdvmcalls = new Tdvmcalls(vm, gprs);
    }

    /**
     * @param exitOnHalt whether user space wants to hear of a guest that halts
     */
    KvmExit run(boolean exitOnHalt) {
        while (true) {
            if (mode.mustLeave()) {
                tdvmcalls.interruptMapGpa();
                return new KvmExit.Interrupted();
            }
            KvmExit chunk = tdvmcalls.nextChunk();
            if (chunk != null) {
                return chunk;
            }
            Next next = onCpu();
            if (next == Next.HALT) {
                if (exitOnHalt) {
                    return new KvmExit.Halted();
                }
                mode.halt();
            } else if (next == Next.EXIT) {
                return exit;
            }
        }
    }

    void completeMapGpa(int result) {
        tdvmcalls.completeChunk(result);
    }

    void completeTdx(long code, long[] more) {
        tdvmcalls.completeTdx(code, more);
    }

    private Next onCpu() {
        vm.host().stopMachine().enter();
        try {
            HostCpu cpu = vcpu.claimCpu();
            try {
                return vm.host().stopMachine().isWanted() ? Next.YIELD : loop(cpu);
            } finally {
                vm.release(cpu);
            }
        } finally {
            vm.host().stopMachine().leave();
        }
    }

    private Next loop(HostCpu cpu) {
        while (true) {
            if (mode.mustLeave()) {
                return Next.YIELD;
            }
            if (vm.isDead()) {
                return fail(Errno.EIO, "the VM is dead: " + why());
            }
            if (vm.life().areEntriesHeld()) {
                Waits.spinUntil(() -> !vm.life().areEntriesHeld());
            }
            if (!mode.tryEnter(cpu)) {
                continue;
            }
            // Held since the check above: the kick that follows a hold finds us inside and
            // waits for us, so this entry is harmless, as the kernel's is.
            long status = enter(cpu);
            mode.exit();
            Next next = decode(cpu, status);
            if (next != Next.ENTER) {
                return next;
            }
        }
    }

    private long enter(HostCpu cpu) {
        if (answerPending) {
            cpu.regs().copyFrom(gprs);
            answerPending = false;
        }
        return vm.host().tdh().vp().enter(cpu, vcpu.tdvprHpa());
    }

    private Next decode(HostCpu cpu, long status) {
        if ((status & Status.CODE_MASK) == Status.SUCCESS) {
            vm.stats().count(vcpu.slot(), Counter.TD_EXITS);
            return switch ((int) status & REASON_MASK) {
                case ExitReason.EPT_VIOLATION -> eptViolation(cpu);
                case ExitReason.TDCALL -> tdvmcall(cpu);
                case ExitReason.EXTERNAL_INTERRUPT -> interrupt(cpu);
                default -> fail(Errno.EIO, "unexpected exit reason " + (int) status);
            };
        }
        if (StatusCode.OPERAND_BUSY.matches(status)) {
            vm.stats().busy(vcpu.slot(), Counter.ENTER_BUSY, status);
            Waits.pause();
            return Next.ENTER;
        }
        if (StatusCode.NON_RECOVERABLE_VCPU.matches(status)
                && (int) status == ExitReason.TRIPLE_FAULT) {
            return exitWith(new KvmExit.Shutdown());
        }
        return fail(Errno.EIO, "TDH.VP.ENTER answered " + Status.show(status));
    }

    private Next eptViolation(HostCpu cpu) {
        long gpa = cpu.regs().r8();
        int extended = (int) cpu.regs().rdx() & EXTENDED_TYPE_MASK;
        long sharedMask = 1L << vm.config().sharedBit();
        boolean isPrivate = (gpa & sharedMask) == 0;
        long plain = gpa & ~sharedMask;
        if (isPrivate && extended == ExitReason.EXTENDED_PENDING_EPT_VIOLATION) {
            return fail(
                    Errno.EIO,
                    "the guest touched page "
                            + Addresses.show(plain)
                            + ", which it had not accepted, and SEPT_VE_DISABLE keeps the #VE from"
                            + " it");
        }
        int acceptLevel =
                extended == ExitReason.EXTENDED_ACCEPT
                        ? (int) (cpu.regs().rdx() >>> ACCEPT_LEVEL_SHIFT) & ACCEPT_LEVEL_MASK
                        : FaultPath.NO_ACCEPT;
        int result = vm.faults().handle(cpu, vcpu, Addresses.gfn(plain), isPrivate, acceptLevel);
        return switch (result) {
            case Errno.OK, FaultPath.RETRY -> Next.ENTER;
            case Errno.EFAULT -> exitWith(new KvmExit.MemoryFault(plain, isPrivate));
            case Errno.ENOMEM ->
                    exitWith(
                            new KvmExit.Failed(
                                    Errno.ENOMEM,
                                    "the host has no memory left to serve the fault at "
                                            + Addresses.show(plain)));
            default -> fail(result, "the fault at " + Addresses.show(plain) + " failed: " + why());
        };
    }

    private Next interrupt(HostCpu cpu) {
        vm.stats().count(vcpu.slot(), Counter.INTERRUPT_EXITS);
        cpu.logical().acknowledgeInterrupt();
        cpu.serveCalls();
        return cpu.wanted() || vm.host().stopMachine().isWanted() ? Next.YIELD : Next.ENTER;
    }

    private Next tdvmcall(HostCpu cpu) {
        vm.stats().count(vcpu.slot(), Counter.TDVMCALLS);
        gprs.copyFrom(cpu.regs());
        answerPending = true;
        return switch (tdvmcalls.serve()) {
            case ANSWERED -> Next.ENTER;
            case HALT -> Next.HALT;
            case MAP_GPA -> Next.YIELD;
            case USER_SPACE -> exitWith(tdvmcalls.userExit());
        };
    }

    private Next fail(int errno, String reason) {
        vm.die();
        return exitWith(new KvmExit.Failed(errno, reason));
    }

    private Next exitWith(KvmExit why) {
        exit = why;
        return Next.EXIT;
    }

    private String why() {
        ModuleAnswer answer = vm.lastAnswer();
        return answer == null ? "ended by its guest" : answer.toString();
    }
}
