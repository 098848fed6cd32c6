// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.tdvf;

import dev.seamlab.machine.Gpa;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/**
 * The hand-off blocks that tell the firmware about memory (facts: module ABI section 11.4): PHIT,
 * one resource descriptor per stretch, end.
 */
public final class TdHob {
    private static final int PHIT = 1;
    private static final int PHIT_BYTES = 56;
    private static final int PHIT_VERSION = 9;
    private static final int RESOURCE = 3;
    private static final int RESOURCE_BYTES = 48;
    private static final int END = 0xFFFF;
    private static final int END_BYTES = 8;

    private static final int SYSTEM_MEMORY = 0;
    private static final int UNACCEPTED_MEMORY = 7;

    /** Present, initialised, tested. */
    private static final int ATTRIBUTES = 0x7;

    private static final int OWNER_GUID_BYTES = 16;

    private TdHob() {}

    /**
     * A stretch of RAM.
     *
     * @param start first byte
     * @param length bytes
     * @param accepted whether the guest may use it without accepting it: it was added before
     *     finalisation
     */
    public record Memory(@Gpa long start, long length, boolean accepted) {}

    /** Bytes that the list takes. */
    public static int bytesFor(int stretches) {
        return PHIT_BYTES + RESOURCE_BYTES * stretches + END_BYTES;
    }

    /**
     * Writes the list.
     *
     * @param at where it will stand in guest memory
     * @param capacity bytes of the TD_HOB section
     * @throws InvalidFirmwareException where the section is too small
     */
    public static byte[] write(@Gpa long at, long capacity, List<Memory> memory) {
        int length = bytesFor(memory.size());
        if (length > capacity) {
            throw new InvalidFirmwareException(
                    "TD_HOB section memory_size",
                    "is " + capacity + " bytes, the list needs " + length,
                    "use a firmware with a larger TD_HOB section");
        }
        byte[] bytes = new byte[length];
        ByteBuffer list = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        header(list, PHIT, PHIT_BYTES);
        list.putInt(PHIT_VERSION).putInt(0);
        list.putLong(0).putLong(0).putLong(0).putLong(0);
        list.putLong(at + length);
        for (Memory stretch : memory) {
            header(list, RESOURCE, RESOURCE_BYTES);
            list.position(list.position() + OWNER_GUID_BYTES);
            list.putInt(stretch.accepted() ? SYSTEM_MEMORY : UNACCEPTED_MEMORY).putInt(ATTRIBUTES);
            list.putLong(stretch.start()).putLong(stretch.length());
        }
        header(list, END, END_BYTES);
        return bytes;
    }

    private static void header(ByteBuffer list, int type, int length) {
        list.putShort((short) type).putShort((short) length).putInt(0);
    }
}
