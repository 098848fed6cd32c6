// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vectors;

import com.fasterxml.jackson.databind.JsonNode;

/** Numbers in vector files: hex strings, or plain JSON numbers. */
final class Hex {
    private Hex() {}

    static long number(JsonNode node) {
        return node.isNumber()
                ? node.asLong()
                : Long.parseUnsignedLong(node.asText().substring(2), 16);
    }
}
