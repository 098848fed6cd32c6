// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Gpa;
import java.util.List;

/** Why KVM_RUN came back to user space (facts: Linux sheet section 4.11). */
public sealed interface KvmExit {
    /** Somebody asked the vCPU to leave; it may be run again (EINTR). */
    record Interrupted() implements KvmExit {}

    /**
     * The guest wants a range converted; at most 2 MiB at a time. Answer with {@link
     * KvmVcpu#completeMapGpa}.
     *
     * @param gpa without the shared bit
     */
    record MapGpa(@Gpa long gpa, long size, boolean toShared) implements KvmExit {}

    /**
     * The guest touched memory whose attribute says otherwise, or that no slot backs (EFAULT).
     *
     * @param gpa without the shared bit
     * @param isPrivate how the guest touched it
     */
    record MemoryFault(@Gpa long gpa, boolean isPrivate) implements KvmExit {}

    /**
     * The guest reported that it cannot go on (KVM_EXIT_SYSTEM_EVENT, type TDX_FATAL).
     *
     * @param registers the 16 data words: RAX to R15 in the order of their numbers, RAX being what
     *     VP.ENTER answered; RSP and RBP, which a TD never shows, are 0
     */
    record FatalError(long code, String message, List<Long> registers) implements KvmExit {
        public FatalError {
            registers = List.copyOf(registers);
        }
    }

    /** A TDVMCALL that KVM leaves to user space; answer with {@link KvmVcpu#completeTdx}. */
    sealed interface Tdx extends KvmExit {}

    /**
     * The guest wants a quote over what its buffer holds. Unanswered it is "unsupported".
     *
     * @param gpa shared buffer, without the shared bit
     */
    record GetQuote(@Gpa long gpa, long size) implements Tdx {}

    /**
     * The guest asks which calls beyond the base set there are. Unanswered there are none.
     *
     * @param leaf what it asks about; KVM passes on leaf 1 alone
     */
    record GetTdVmCallInfo(long leaf) implements Tdx {}

    /** The guest wants a vector raised when something is ready. Unanswered it is "unsupported". */
    record SetupEventNotifyInterrupt(int vector) implements Tdx {}

    /** The guest wrote to an I/O port. */
    record PortOut(int port, int size, long value) implements KvmExit {}

    /**
     * The guest halted; only from {@link KvmVcpu#runUntilHalt}. It goes on after its HLT when it is
     * run again.
     */
    record Halted() implements KvmExit {}

    /** Triple fault. */
    record Shutdown() implements KvmExit {}

    /**
     * KVM cannot run this vCPU any more.
     *
     * @param errno see {@link dev.seamlab.host.kernel.Errno}
     */
    record Failed(int errno, String reason) implements KvmExit {}
}
