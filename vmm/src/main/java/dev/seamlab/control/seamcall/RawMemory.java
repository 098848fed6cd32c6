// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.Pfn;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.NumaNode;
import dev.seamlab.v1.ReadMemoryRequest;
import dev.seamlab.v1.WriteMemoryRequest;
import jakarta.inject.Singleton;
import java.util.stream.Collectors;

/** Reads and writes the memory of machines for clients. */
@Singleton
final class RawMemory {
    private final Sandboxes sandboxes;

    RawMemory(Sandboxes sandboxes) {
        this.sandboxes = sandboxes;
    }

    ByteString read(ReadMemoryRequest request) {
        RawTarget target = sandboxes.find(request.getSandbox());
        requireRam(target, request.getHpa(), request.getLength(), "length");
        byte[] data = new byte[request.getLength()];
        target.raw().machine().memory().read(request.getHpa(), data, 0, data.length);
        return UnsafeByteOperations.unsafeWrap(data); // nobody else has the array
    }

    void write(WriteMemoryRequest request) {
        RawTarget target = sandboxes.find(request.getSandbox());
        @Hpa long hpa = request.getHpa();
        byte[] data = request.getData().toByteArray();
        requireRam(target, hpa, data.length, "data");
        requireRoom(target, hpa, data.length);
        target.raw().machine().memory().write(hpa, data, 0, data.length);
    }

    /** Memory that does not exist cannot be accessed; a mistyped address shall not go unnoticed. */
    private static void requireRam(
            RawTarget target, @Hpa long hpa, int length, String lengthField) {
        MachineProfile profile = target.raw().machine().profile();
        @Hpa long end = ramFrom(profile, hpa);
        if (end == hpa) {
            throw Rejection.invalid(
                    "hpa", Addresses.show(hpa) + " is no RAM; RAM is at " + ram(profile));
        }
        if (end - hpa < length) {
            throw Rejection.invalid(
                    lengthField,
                    "RAM ends at "
                            + Addresses.show(end)
                            + ", "
                            + (end - hpa)
                            + " bytes after hpa; RAM is at "
                            + ram(profile));
        }
    }

    /** Where the RAM that begins at an address ends; the address itself where none does. */
    private static @Hpa long ramFrom(MachineProfile profile, @Hpa long hpa) {
        @Hpa long end = hpa;
        boolean moved = true;
        while (moved) {
            moved = false;
            for (NumaNode node : profile.nodes()) {
                for (AddressRange range : node.memory()) {
                    if (range.start() <= end && end < range.end()) {
                        end = range.end();
                        moved = true;
                    }
                }
            }
        }
        return end;
    }

    private static String ram(MachineProfile profile) {
        return profile.nodes().stream()
                .flatMap(node -> node.memory().stream())
                .map(range -> Addresses.show(range.start()) + "-" + Addresses.show(range.end()))
                .collect(Collectors.joining(", "));
    }

    private static void requireRoom(RawTarget target, @Hpa long hpa, int length) {
        PhysicalMemory memory = target.raw().machine().memory();
        long fresh = 0;
        @Pfn long last = (hpa + length - 1) >>> Addresses.PAGE_SHIFT;
        for (@Pfn long pfn = hpa >>> Addresses.PAGE_SHIFT; pfn <= last; pfn++) {
            fresh += memory.isWritten(pfn) ? 0 : 1;
        }
        if (fresh > 0 && memory.writtenPages() + fresh > target.maxPages()) {
            throw Rejection.exhausted(
                    "TOO_MUCH_MEMORY",
                    "memory",
                    target.maxPages()
                            + " pages of this machine have contents, which is all that may be"
                            + " written this way: use pages again, or another sandbox");
        }
    }
}
