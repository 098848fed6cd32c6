// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

/** Registers and addresses as people of this field read and write them. */
final class Hex {
    private Hex() {}

    /** All sixteen digits. */
    static String word(long value) {
        return String.format("0x%016X", value);
    }

    /**
     * A number, hex with 0x or decimal; underscores may group digits.
     *
     * @throws NumberFormatException where it is none, or has more than 64 bits
     */
    static long parse(String text) {
        String clean = text.strip().replace("_", "");
        if (clean.regionMatches(true, 0, "0x", 0, 2)) {
            return Long.parseUnsignedLong(clean.substring(2), 16);
        }
        return clean.startsWith("-") ? Long.parseLong(clean) : Long.parseUnsignedLong(clean);
    }
}
