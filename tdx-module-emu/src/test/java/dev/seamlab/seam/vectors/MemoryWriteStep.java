// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vectors;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/** The host writes memory. */
final class MemoryWriteStep implements VectorStep {
    private final long address;
    private final byte[] bytes;

    MemoryWriteStep(JsonNode write) {
        address = Hex.number(write.get("pa"));
        if (write.has("hex")) {
            bytes = HexFormat.of().parseHex(write.get("hex").asText());
        } else {
            bytes = new byte[(int) Hex.number(write.get("len"))];
            Arrays.fill(bytes, (byte) Hex.number(write.get("fill")));
        }
    }

    @Override
    public @Nullable String run(VectorReplay replay) {
        replay.machine().memory().write(address, bytes, 0, bytes.length);
        return null;
    }
}
