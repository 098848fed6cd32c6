// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.guest.GuestMemory;
import dev.seamlab.guest.GuestMemory.Range;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.vmm.tdvf.TdHob;
import dev.seamlab.vmm.tdvf.TdvfImage;
import dev.seamlab.vmm.tdvf.TdvfSection;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Where things stand in a TD's guest memory, as on QEMU's q35 machine: RAM from 0 up to a hole, the
 * firmware below 4 GiB, the rest of the RAM above.
 *
 * <pre>
 *   0 ............ low RAM end   hole   4 GiB - image ... 4 GiB ............ high RAM end
 * </pre>
 */
final class GuestLayout {
    /** RAM of this size or more is split, and then this much lies below the hole. */
    private static final long SPLIT_FROM = 0xB000_0000L;

    private static final long LOW_WHEN_SPLIT = 0x8000_0000L;

    private final List<Range> ram = new ArrayList<>();
    private final List<TdHob.Memory> hob = new ArrayList<>();
    private final Range firmware;
    private final GuestMemory guestMemory;

    /**
     * @param memoryBytes a valid amount of RAM for this firmware
     */
    GuestLayout(long memoryBytes, TdvfImage image, int gpaWidth) {
        boolean split = memoryBytes >= SPLIT_FROM;
        ram.add(new Range(0, split ? LOW_WHEN_SPLIT : memoryBytes));
        if (split) {
            long above = memoryBytes - LOW_WHEN_SPLIT;
            ram.add(new Range(4 * Addresses.GIB, 4 * Addresses.GIB + above));
        }
        firmware = new Range(image.base(), TdvfImage.FIRMWARE_END);
        List<Range> unaccepted = new ArrayList<>();
        for (Range stretch : ram) {
            describe(stretch, image, unaccepted);
        }
        guestMemory = new GuestMemory(unaccepted, gpaWidth - 1, scratch(image));
    }

    /** Pieces that the TD HOB has to describe, for a memory size and an image. */
    static int hobPieces(long memoryBytes, TdvfImage image) {
        return new GuestLayout(memoryBytes, image, 48).hob.size();
    }

    /** First address above all RAM. */
    @Gpa
    long end() {
        return Math.max(ram.getLast().end(), firmware.end());
    }

    /** RAM, ascending. */
    List<Range> ram() {
        return ram;
    }

    /** The firmware image. */
    Range firmware() {
        return firmware;
    }

    /** All memory: RAM and firmware. */
    List<Range> all() {
        List<Range> all = new ArrayList<>(ram);
        all.add(firmware);
        return all;
    }

    /** Whether memory lies at every page of a range. */
    boolean covers(@Gpa long gpa, long size) {
        long at = gpa;
        for (Range range : all()) {
            if (at >= range.start() && at < range.end()) {
                at = range.end();
            }
        }
        return at >= gpa + size;
    }

    /** What the TD HOB says. */
    List<TdHob.Memory> hob() {
        return hob;
    }

    /** What the guest knows of its memory. */
    GuestMemory guestMemory() {
        return guestMemory;
    }

    /** Cuts a stretch of RAM at the sections that are added before the TD starts. */
    private void describe(Range stretch, TdvfImage image, List<Range> unaccepted) {
        List<TdvfSection> inside =
                image.sections().stream()
                        .filter(section ->
                                section.memoryAddress() >= stretch.start()
                                        && section.memoryEnd() <= stretch.end())
                        .sorted(Comparator.comparingLong(TdvfSection::memoryAddress))
                        .toList();
        long at = stretch.start();
        for (TdvfSection section : inside) {
            add(at, section.memoryAddress(), false, unaccepted);
            add(section.memoryAddress(), section.memoryEnd(), true, unaccepted);
            at = section.memoryEnd();
        }
        add(at, stretch.end(), false, unaccepted);
    }

    private void add(@Gpa long from, @Gpa long to, boolean accepted, List<Range> unaccepted) {
        if (from >= to) {
            return;
        }
        hob.add(new TdHob.Memory(from, to - from, accepted));
        if (!accepted) {
            unaccepted.add(new Range(from, to));
        }
    }

    /** A page that firmware has for itself from the start. */
    private static @Gpa long scratch(TdvfImage image) {
        return image.sections().stream()
                .filter(section -> section.type() == TdvfSection.Type.TEMP_MEM)
                .mapToLong(TdvfSection::memoryAddress)
                .findFirst()
                .orElse(image.hob().memoryEnd() - Addresses.PAGE_SIZE);
    }
}
