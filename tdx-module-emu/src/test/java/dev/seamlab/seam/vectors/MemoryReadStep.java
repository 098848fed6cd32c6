// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vectors;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/**
 * The host finds memory as recorded. Only used for SYS.RDALL and SYS.INFO output, much of which
 * depends on the CPU that was simulated; compared on request alone.
 */
final class MemoryReadStep implements VectorStep {
    private final long address;
    private final byte[] expected;

    MemoryReadStep(JsonNode read) {
        address = Hex.number(read.get("pa"));
        expected = HexFormat.of().parseHex(read.get("hex").asText());
    }

    @Override
    public @Nullable String run(VectorReplay replay) {
        if (!replay.comparesMemory()) {
            return null;
        }
        byte[] found = new byte[expected.length];
        replay.machine().memory().read(address, found, 0, found.length);
        int at = java.util.Arrays.mismatch(expected, found);
        return at < 0 ? null : "memory differs at offset 0x" + Integer.toHexString(at);
    }
}
