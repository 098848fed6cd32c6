// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.guest.GuestMemory.Range;
import dev.seamlab.guest.ProgramRunner;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.KvmExit;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.kvm.KvmVcpu;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import org.jspecify.annotations.Nullable;

/** What the thread of one vCPU does: KVM_RUN, serve the exit, again. */
final class VcpuThread {
    /**
     * Why a vCPU's thread ended.
     *
     * @param isPowerOff the guest powered the TD off
     * @param failure why the guest cannot go on; null where it was asked to leave
     */
    record End(boolean isPowerOff, @Nullable String failure) {
        static final End ASKED = new End(false, null);
        static final End POWER_OFF = new End(true, null);

        static End failed(String why) {
            return new End(false, why);
        }
    }

    private final KvmTdx vm;
    private final KvmVcpu vcpu;
    private final GuestLayout layout;

    VcpuThread(KvmTdx vm, KvmVcpu vcpu, GuestLayout layout) {
        this.vm = vm;
        this.vcpu = vcpu;
        this.layout = layout;
    }

    End run() {
        while (true) {
            End end = serve(vcpu.run());
            if (end != null) {
                return end;
            }
        }
    }

    /** Serves an exit that asks for a conversion; whether it was one, and the vCPU can go on. */
    boolean servesConversion(KvmExit exit) {
        return switch (exit) {
            case KvmExit.MapGpa _, KvmExit.MemoryFault _ -> serve(exit) == null;
            default -> false;
        };
    }

    /** Null where the vCPU goes on. */
    private @Nullable End serve(KvmExit exit) {
        return switch (exit) {
            case KvmExit.Interrupted() -> End.ASKED;
            case KvmExit.MapGpa(long gpa, long size, boolean toShared) -> {
                vcpu.completeMapGpa(convert(gpa, size, !toShared));
                yield null;
            }
            case KvmExit.MemoryFault(long gpa, boolean isPrivate) -> memoryFault(gpa, isPrivate);
            case KvmExit.PortOut(int port, int _, long value) ->
                    port == ProgramRunner.POWER_PORT && value == ProgramRunner.POWER_OFF
                            ? End.POWER_OFF
                            : null;
            case KvmExit.FatalError(long code, String message, var _) ->
                    End.failed(
                            "the guest reported fatal error 0x"
                                    + Long.toHexString(code)
                                    + (message.isEmpty() ? "" : ": " + message));
            // This VMM offers neither quotes nor notifications: what KVM preset is the answer.
            case KvmExit.Tdx _ -> null;
            case KvmExit.Halted() -> null;
            case KvmExit.Shutdown() -> End.failed("triple fault");
            case KvmExit.Failed(int errno, String reason) ->
                    End.failed(reason + " (" + Errno.name(errno) + ")");
        };
    }

    /**
     * The guest touched memory without having it converted first: QEMU converts it on the guest's
     * behalf, where it is RAM.
     */
    private @Nullable End memoryFault(@Gpa long gpa, boolean isPrivate) {
        for (Range range : layout.all()) {
            if (gpa >= range.start() && gpa < range.end()) {
                int result = convert(gpa, Addresses.PAGE_SIZE, isPrivate);
                return result == Errno.OK
                        ? null
                        : End.failed(
                                "implicit conversion of "
                                        + Addresses.show(gpa)
                                        + " failed with "
                                        + Errno.name(result));
            }
        }
        return End.failed(
                "the guest touched "
                        + (isPrivate ? "private" : "shared")
                        + " address "
                        + Addresses.show(gpa)
                        + ", where it has no memory");
    }

    /** Changes the attribute, then gives back what backed the other side, as QEMU does. */
    private int convert(@Gpa long gpa, long size, boolean toPrivate) {
        if (!layout.covers(gpa, size)) {
            return Errno.EINVAL; // KVM would take it; QEMU converts nothing but RAM
        }
        int result = vm.setMemoryAttributes(gpa, size, toPrivate);
        if (result != Errno.OK) {
            return result;
        }
        return vm.punch(gpa, size, !toPrivate);
    }
}
