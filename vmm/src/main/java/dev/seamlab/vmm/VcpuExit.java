// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.KvmExit;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.seam.abi.Tdvmcall;

/** Why a vCPU that is driven by hand came back. */
public sealed interface VcpuExit {
    /** One line for people. */
    String text();

    /** The guest asked for a conversion. It is told that it was done when the vCPU goes on. */
    record MapGpa(@Gpa long gpa, long size, boolean toPrivate) implements VcpuExit {
        @Override
        public String text() {
            return "MapGPA: "
                    + Addresses.show(gpa)
                    + ", "
                    + size
                    + " bytes, to "
                    + (toPrivate ? "private" : "shared");
        }
    }

    /** An access does not fit the attribute of the page, or there is no memory. */
    record MemoryFault(@Gpa long gpa, boolean isPrivate) implements VcpuExit {
        @Override
        public String text() {
            return (isPrivate ? "private" : "shared") + " access to " + Addresses.show(gpa);
        }
    }

    /** The guest reported that it cannot go on. */
    record FatalError(long code, String text) implements VcpuExit {}

    /** Triple fault. */
    record Shutdown() implements VcpuExit {
        @Override
        public String text() {
            return "triple fault";
        }
    }

    /** A TDVMCALL that user space answers; unanswered, what KVM preset stands. */
    record UserTdvmcall(long number, String text) implements VcpuExit {}

    /** The guest halted. */
    record Halted() implements VcpuExit {
        @Override
        public String text() {
            return "HLT";
        }
    }

    /** Kicked out. */
    record Interrupted() implements VcpuExit {
        @Override
        public String text() {
            return "kicked out";
        }
    }

    /** KVM cannot run it. */
    record Failed(String errno, String reason) implements VcpuExit {
        @Override
        public String text() {
            return errno + ": " + reason;
        }
    }

    /** KVM's exit as this layer tells it. */
    static VcpuExit of(KvmExit exit) {
        return switch (exit) {
            case KvmExit.Interrupted() -> new Interrupted();
            case KvmExit.Halted() -> new Halted();
            case KvmExit.MapGpa(long gpa, long size, boolean toShared) ->
                    new MapGpa(gpa, size, !toShared);
            case KvmExit.MemoryFault(long gpa, boolean isPrivate) ->
                    new MemoryFault(gpa, isPrivate);
            case KvmExit.FatalError(long code, String message, var _) ->
                    new FatalError(code, message);
            case KvmExit.GetQuote(long gpa, long size) ->
                    new UserTdvmcall(
                            Tdvmcall.GET_QUOTE,
                            "GetQuote: " + Addresses.show(gpa) + ", " + size + " bytes");
            case KvmExit.GetTdVmCallInfo(long leaf) ->
                    new UserTdvmcall(Tdvmcall.GET_TD_VMCALL_INFO, "GetTdVmCallInfo: leaf " + leaf);
            case KvmExit.SetupEventNotifyInterrupt(int vector) ->
                    new UserTdvmcall(
                            Tdvmcall.SETUP_EVENT_NOTIFY_INTERRUPT,
                            "SetupEventNotifyInterrupt: vector " + vector);
            case KvmExit.PortOut(int port, int size, long value) ->
                    new UserTdvmcall(
                            Tdvmcall.IO,
                            String.format("OUT 0x%x to port 0x%x, %d bytes", value, port, size));
            case KvmExit.Shutdown() -> new Shutdown();
            case KvmExit.Failed(int errno, String reason) -> new Failed(Errno.name(errno), reason);
        };
    }
}
