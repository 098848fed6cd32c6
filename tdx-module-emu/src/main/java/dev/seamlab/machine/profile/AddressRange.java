// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.profile;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;

/**
 * A stretch of physical addresses.
 *
 * @param start first byte
 * @param end first byte after it
 */
public record AddressRange(@Hpa long start, @Hpa long end) {
    public AddressRange {
        if (start < 0 || start >= end) {
            throw new IllegalArgumentException(
                    "empty or reversed range "
                            + Addresses.show(start)
                            + " - "
                            + Addresses.show(end));
        }
    }

    /** Number of bytes. */
    public long size() {
        return end - start;
    }

    /** Whether the two have a byte in common. */
    public boolean overlaps(AddressRange other) {
        return start < other.end && other.start < end;
    }

    /** Whether an address lies inside. */
    public boolean contains(@Hpa long hpa) {
        return hpa >= start && hpa < end;
    }

    @Override
    public String toString() {
        return "[" + Addresses.show(start) + ", " + Addresses.show(end) + ")";
    }
}
