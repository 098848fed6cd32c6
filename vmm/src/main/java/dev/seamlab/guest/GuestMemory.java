// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import java.util.List;

/**
 * The guest's own view of its RAM, as the TD HOB gives it.
 *
 * @param unaccepted stretches that the guest has to accept before it uses them, ascending
 * @param sharedBit GPA bit that marks an address as shared, 47 or 51
 * @param scratch a private page that was accepted from the start: operands of TDCALLs go there
 */
public record GuestMemory(List<Range> unaccepted, int sharedBit, @Gpa long scratch) {
    /**
     * A stretch of guest addresses.
     *
     * @param start first byte, page aligned
     * @param end first byte after it, page aligned
     */
    public record Range(@Gpa long start, @Gpa long end) {
        public Range {
            if (start < 0
                    || start >= end
                    || !Addresses.isAligned(start | end, Addresses.PAGE_SIZE)) {
                throw new IllegalArgumentException(
                        "not a range of whole pages: "
                                + Addresses.show(start)
                                + ".."
                                + Addresses.show(end));
            }
        }

        /** Number of bytes. */
        public long size() {
            return end - start;
        }

        /** Number of 4K pages. */
        public long pages() {
            return size() >>> Addresses.PAGE_SHIFT;
        }
    }

    public GuestMemory {
        unaccepted = List.copyOf(unaccepted);
    }
}
