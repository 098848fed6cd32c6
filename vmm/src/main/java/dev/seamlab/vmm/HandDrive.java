// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.guest.GuestSeat;
import dev.seamlab.guest.ProgramRunner;
import dev.seamlab.guest.Workload;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.KvmExit;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.kvm.KvmVcpu;
import dev.seamlab.vmm.VcpuSnapshot.State;

/**
 * One vCPU, to be driven by hand while its TD is READY or PAUSED.
 *
 * <p>Why nothing runs after a stop or a kill: they change the state, ask every vCPU to leave and
 * wait until none is live. {@link Hand#enter} counts itself live, takes such a request back and
 * then looks at the state; so it sees the new state, or the request comes after it and gets it out.
 */
final class HandDrive {
    private final Td td;
    private final KvmVcpu vcpu;
    private final GuestSeat seat;
    private final GuestLayout layout;
    private final VcpuThread exits;

    private volatile boolean taken; // becomes true under the TD's action lock
    private boolean conversionPending; // a MapGpa exit waits for its answer; of who drives

    HandDrive(Td td, KvmVcpu vcpu, GuestSeat seat, GuestLayout layout) {
        this.td = td;
        this.vcpu = vcpu;
        this.seat = seat;
        this.layout = layout;
        this.exits = new VcpuThread(td.vm(), vcpu, layout);
    }

    int index() {
        return vcpu.index();
    }

    boolean isTaken() {
        return taken;
    }

    DrivenVcpu take() {
        taken = true;
        return new Hand();
    }

    /** The vCPU's own thread takes over, and serves what waits. */
    void forget() {
        conversionPending = false;
    }

    VcpuSnapshot snapshot() {
        return new VcpuSnapshot(
                vcpu.index(),
                state(),
                vcpu.cpu(),
                vcpu.rootHpa(),
                seat.operations(),
                vcpu.tdExits(),
                vcpu.poolPages());
    }

    private State state() {
        return switch (td.state()) {
            case STOPPING, STOPPED, DELETING, FAILED -> State.DEAD;
            case CREATING, CREATED, READY, RUNNING, PAUSED ->
                    td.vm().isDead()
                            ? State.DEAD
                            : seat.isFinished()
                                    ? State.FINISHED
                                    : taken || td.state() == TdState.RUNNING
                                            ? State.RUNNING
                                            : State.IDLE;
        };
    }

    /** In somebody's hand, until that closes it. */
    private final class Hand implements DrivenVcpu {
        private volatile boolean cancelled;

        @Override
        public VcpuExit run(boolean serveConversions) {
            return VcpuExit.of(enter(serveConversions));
        }

        @Override
        public Executed execute(Workload piece) {
            ProgramRunner program =
                    new ProgramRunner(
                            piece.compile(layout.guestMemory(), vcpu.index(), td.spec().vcpus()),
                            layout.guestMemory(),
                            vcpu.index());
            long privateFaults = td.stats().get(Counter.PRIVATE_FAULTS);
            long sharedFaults = td.stats().get(Counter.SHARED_FAULTS);
            seat.invite(program);
            KvmExit exit;
            try {
                do {
                    exit = enter(true);
                } while (exit instanceof KvmExit.Halted && !program.progress().isFinished());
            } finally {
                seat.dismiss();
            }
            return new Executed(
                    VcpuExit.of(exit),
                    program.progress().operations(),
                    td.stats().get(Counter.PRIVATE_FAULTS) - privateFaults,
                    td.stats().get(Counter.SHARED_FAULTS) - sharedFaults);
        }

        private KvmExit enter(boolean serveConversions) {
            td.enterByHand();
            try {
                vcpu.allowRun();
                if (cancelled || !TdAction.RUN_VCPU.legalFrom().contains(td.state())) {
                    return new KvmExit.Interrupted();
                }
                if (conversionPending) {
                    conversionPending = false;
                    vcpu.completeMapGpa(Errno.OK); // what the client left in run->hypercall.ret
                }
                KvmExit exit = vcpu.runUntilHalt();
                while (serveConversions && exits.servesConversion(exit)) {
                    exit = vcpu.runUntilHalt();
                }
                conversionPending = exit instanceof KvmExit.MapGpa && !serveConversions;
                noticeEnd(exit);
                return exit;
            } finally {
                td.leaveByHand();
            }
        }

        private void noticeEnd(KvmExit exit) {
            if (exit instanceof KvmExit.Shutdown || exit instanceof KvmExit.Failed) {
                td.failByHand(vcpu, VcpuExit.of(exit).text());
            }
        }

        @Override
        public void cancel() {
            cancelled = true;
            vcpu.requestExit();
        }

        @Override
        public VcpuSnapshot snapshot() {
            return HandDrive.this.snapshot();
        }

        @Override
        public void close() {
            vcpu.allowRun();
            taken = false;
        }
    }
}
