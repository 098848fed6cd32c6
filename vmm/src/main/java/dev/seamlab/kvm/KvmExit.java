// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Gpa;

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

    /** The guest reported that it cannot go on. */
    record FatalError(long code, String message) implements KvmExit {}

    /** The guest wrote to an I/O port. */
    record PortOut(int port, int size, long value) implements KvmExit {}

    /** Triple fault. */
    record Shutdown() implements KvmExit {}

    /**
     * KVM cannot run this vCPU any more.
     *
     * @param errno see {@link dev.seamlab.host.kernel.Errno}
     */
    record Failed(int errno, String reason) implements KvmExit {}
}
