// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageOrBuilder;
import com.google.protobuf.util.JsonFormat;
import java.util.Locale;
import org.snakeyaml.engine.v2.api.Dump;
import org.snakeyaml.engine.v2.api.DumpSettings;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.common.FlowStyle;

/** Forms of output. Tables are for people; the others carry whole messages, for programs. */
enum Format {
    /** Columns that fit a terminal. */
    TABLE,

    /** More columns. */
    WIDE,

    /** A JSON object for each message, with the field names of the API. */
    JSON,

    /** A YAML document for each message, with the field names of the API. */
    YAML;

    /** Whether each message is written whole. */
    boolean forPrograms() {
        return this == JSON || this == YAML;
    }

    /**
     * A message in this form.
     *
     * @throws InvalidProtocolBufferException where the message carries one of a type that the
     *     printer does not know
     * @throws IllegalStateException for the forms that are for people
     */
    String write(JsonFormat.Printer printer, MessageOrBuilder message)
            throws InvalidProtocolBufferException {
        return switch (this) {
            case JSON -> printer.print(message) + System.lineSeparator();
            case YAML -> yaml(printer.print(message));
            case TABLE, WIDE ->
                    throw new IllegalStateException("a table is made from fields, not messages");
        };
    }

    /** JSON is YAML already; this is the same in the style that people expect of YAML. */
    private static String yaml(String json) {
        Object document = new Load(LoadSettings.builder().build()).loadFromString(json);
        return new Dump(
                        DumpSettings.builder()
                                .setDefaultFlowStyle(FlowStyle.BLOCK)
                                .setExplicitStart(true)
                                .build())
                .dumpToString(document);
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
