// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.explain;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;

/** Reads the tables of this package. They are ours: one that does not read is a defect. */
final class Knowledge {
    private Knowledge() {}

    static Map<?, ?> read(String resource) {
        try (InputStream in = Knowledge.class.getResourceAsStream(resource)) {
            if (in == null) {
                throw new IllegalStateException("resource " + resource + " is not packaged");
            }
            return map(new Load(LoadSettings.builder().build()).loadFromInputStream(in), resource);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Map<?, ?> map(@Nullable Object value, String where) {
        if (value instanceof Map<?, ?> map) {
            return map;
        }
        throw new IllegalStateException(where + " is no mapping");
    }

    static String text(Map<?, ?> row, String field) {
        if (row.get(field) instanceof String text && !text.isBlank()) {
            return text;
        }
        throw new IllegalStateException("no text \"" + field + "\" in " + row);
    }
}
