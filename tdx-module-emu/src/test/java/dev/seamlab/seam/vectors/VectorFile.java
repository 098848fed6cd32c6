// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vectors;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;

/**
 * A recorded scenario.
 *
 * @param name file name without extensions
 * @param header first line: platform and memory
 * @param lines the steps
 */
record VectorFile(String name, JsonNode header, List<JsonNode> lines) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String SUFFIX = ".jsonl.gz";

    /** A compressed scenario among the test resources. */
    static VectorFile resource(String name) {
        InputStream in = VectorFile.class.getResourceAsStream("/vectors/" + name + SUFFIX);
        if (in == null) {
            throw new IllegalArgumentException("no vector file " + name);
        }
        try (in) {
            return read(name, new GZIPInputStream(in));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A scenario anywhere, compressed or not. */
    static VectorFile of(Path path) {
        String file = path.getFileName().toString();
        try (InputStream in = Files.newInputStream(path)) {
            boolean packed = file.endsWith(".gz");
            String name = file.replaceFirst("\\.jsonl(\\.gz)?$", "");
            return read(name, packed ? new GZIPInputStream(in) : in);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Whether the scenario has guest activity. */
    boolean isGuest() {
        return header.path("guest").asBoolean(false);
    }

    private static VectorFile read(String name, InputStream in) throws IOException {
        List<JsonNode> lines = new ArrayList<>();
        try (var reader = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
            for (String line = reader.readLine(); line != null; line = reader.readLine()) {
                lines.add(JSON.readTree(line));
            }
        }
        return new VectorFile(name, lines.getFirst(), lines.subList(1, lines.size()));
    }
}
