// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vectors;

import com.fasterxml.jackson.databind.JsonNode;

/** Turns a line into a step, by the key that tells its kind. */
final class StepReader {
    private StepReader() {}

    static VectorStep read(JsonNode line) {
        if (line.has("guest")) {
            return new VpEnterStep(line);
        }
        if (line.has("leaf")) {
            return new SeamcallStep(line);
        }
        if (line.has("mem_write")) {
            return new MemoryWriteStep(line.get("mem_write"));
        }
        if (line.has("mem_read")) {
            return new MemoryReadStep(line.get("mem_read"));
        }
        if (line.has("reset")) {
            return replay -> {
                replay.reset();
                return null;
            };
        }
        if (line.has("note")) {
            return replay -> null;
        }
        throw new IllegalArgumentException("unknown step " + line);
    }
}
