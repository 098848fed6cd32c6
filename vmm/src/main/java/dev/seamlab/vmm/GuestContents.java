// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.GuestMap;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * Reads and writes what stands in guest memory: shared memory as user space does, private memory
 * through the module's debug leaves, eight bytes at a time.
 *
 * @param id the trust domain
 * @param cpu claimed, with the world stopped
 */
record GuestContents(String id, KvmTdx vm, HostCpu cpu) {
    private static final VarHandle WORDS =
            MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

    /** Works on memory within one page; null where all went well. */
    interface Piece {
        @Nullable Refusal work(
                GuestContents contents, @Gpa long gpa, byte[] data, int at, int length);
    }

    /** Works on a range page by page; the number of bytes. */
    Outcome<Integer> byPage(@Gpa long gpa, byte[] data, Piece piece) {
        for (int at = 0; at < data.length; ) {
            long pageEnd = Addresses.alignDown(gpa + at, Addresses.PAGE_SIZE) + Addresses.PAGE_SIZE;
            int length = (int) Math.min(data.length - at, pageEnd - (gpa + at));
            Refusal refusal = piece.work(this, gpa + at, data, at, length);
            if (refusal != null) {
                return Outcome.refused(refusal);
            }
            at += length;
        }
        return Outcome.done(data.length);
    }

    @Nullable Refusal read(@Gpa long gpa, byte[] into, int at, int length) {
        GuestMap map = vm.guestMap();
        if (!map.isPrivate(gpa)) {
            map.readShared(gpa, into, at, length);
            return null;
        }
        for (int i = 0; i < length; i += Long.BYTES) {
            long status = map.readPrivate(cpu, gpa + i);
            if (status != Status.SUCCESS) {
                return refused(Leaf.MEM_RD, status, gpa + i);
            }
            WORDS.set(into, at + i, cpu.regs().r8());
        }
        return null;
    }

    @Nullable Refusal write(@Gpa long gpa, byte[] from, int at, int length) {
        GuestMap map = vm.guestMap();
        if (!map.isPrivate(gpa)) {
            int result = map.writeShared(cpu, gpa, from, at, length);
            return result == Errno.OK ? null : HostGuestRam.failure(id, vm, "writing", result);
        }
        for (int i = 0; i < length; i += Long.BYTES) {
            long status = map.writePrivate(cpu, gpa + i, (long) WORDS.get(from, at + i));
            if (status != Status.SUCCESS) {
                return refused(Leaf.MEM_WR, status, gpa + i);
            }
        }
        return null;
    }

    private Refusal refused(Leaf leaf, long status, @Gpa long gpa) {
        if (StatusCode.TD_NON_DEBUG.matches(status)) {
            return new Refusal.NotAllowedByTdx(
                    id,
                    leaf.abiName()
                            + " answers TD_NON_DEBUG: "
                            + Addresses.show(gpa)
                            + " is private, and only a trust domain with the DEBUG attribute shows"
                            + " its private memory: create one with it, or let the guest share the"
                            + " page");
        }
        return new Refusal.ModuleRefused(
                "private memory at " + Addresses.show(gpa), leaf.abiName(), status);
    }
}
