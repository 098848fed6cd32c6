// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.profile;

import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Address ranges as people write them: {@code 0x100000-0x6f800000} or {@code 4GiB-66GiB}, the end
 * being the first byte after the range.
 */
final class RangeText {
    /** What a bad text should have looked like. */
    static final String FORM = "must look like 0x100000-0x6f800000 or 4GiB-66GiB";

    private static final Pattern ADDRESS =
            Pattern.compile(
                    "(0x[0-9a-f_]+|[0-9]+)\\s*(kib|mib|gib|tib)?", Pattern.CASE_INSENSITIVE);

    private static final Map<String, Integer> SHIFTS =
            Map.of("kib", 10, "mib", 20, "gib", 30, "tib", 40);

    private RangeText() {}

    /**
     * Reads a range.
     *
     * @throws IllegalArgumentException whose message says what is wrong
     */
    static AddressRange parse(String text) {
        int dash = text.indexOf('-');
        if (dash < 0) {
            throw new IllegalArgumentException("\"" + text + "\" is no address range; it " + FORM);
        }
        long start = address(text.substring(0, dash), text);
        long end = address(text.substring(dash + 1), text);
        return new AddressRange(start, end);
    }

    private static long address(String part, String whole) {
        Matcher matcher = ADDRESS.matcher(part.strip());
        if (!matcher.matches()) {
            throw new IllegalArgumentException(
                    "\""
                            + part.strip()
                            + "\" in \""
                            + whole
                            + "\" is no address; the range "
                            + FORM);
        }
        String unit = matcher.group(2);
        int shift = unit == null ? 0 : SHIFTS.getOrDefault(unit.toLowerCase(Locale.ROOT), 0);
        String digits = matcher.group(1).replace("_", "");
        try {
            long value =
                    digits.regionMatches(true, 0, "0x", 0, 2)
                            ? Long.parseLong(digits.substring(2), 16)
                            : Long.parseLong(digits);
            if (value > Long.MAX_VALUE >>> shift) {
                throw new NumberFormatException("too large");
            }
            return value << shift;
        } catch (NumberFormatException _) {
            throw new IllegalArgumentException(
                    "\"" + part.strip() + "\" in \"" + whole + "\" is too large for an address");
        }
    }
}
