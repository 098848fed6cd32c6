// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.metrics;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.seamlab.control.call.ObserveSettings;
import io.quarkus.runtime.StartupEvent;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.logging.Handler;
import java.util.logging.Logger;
import org.jboss.logmanager.ExtFormatter;
import org.jboss.logmanager.ExtHandler;
import org.jboss.logmanager.ExtLogRecord;
import org.jboss.logmanager.handlers.ConsoleHandler;

/**
 * Log lines as JSON objects, one a line, where {@code seamlab.observe.json-log} asks for it: time,
 * level, logger, thread, message, what the thread works for ({@code operation}, {@code td}, and
 * where tracing is on {@code traceId}, {@code spanId}), and the stack trace of an error. What is
 * logged before the server is up is text.
 */
@Singleton
final class JsonLog {

    void begin(@Observes StartupEvent event, ObserveSettings settings) {
        if (settings.jsonLog()) {
            format(Logger.getLogger("").getHandlers());
        }
    }

    private static void format(Handler[] handlers) {
        for (Handler handler : handlers) {
            if (handler instanceof ConsoleHandler console) {
                console.setFormatter(new Lines());
            } else if (handler instanceof ExtHandler outer) {
                format(outer.getHandlers());
            }
        }
    }

    /** Writes one record. */
    static final class Lines extends ExtFormatter {
        private final JsonFactory json = new JsonFactory();

        @Override
        public String format(ExtLogRecord record) {
            StringWriter line = new StringWriter();
            try (JsonGenerator out = json.createGenerator(line)) {
                out.writeStartObject();
                out.writeStringField("time", record.getInstant().toString());
                out.writeStringField("level", record.getLevel().getName());
                out.writeStringField("logger", record.getLoggerName());
                out.writeStringField("thread", record.getThreadName());
                out.writeStringField("message", formatMessage(record));
                for (Map.Entry<String, String> each : record.getMdcCopy().entrySet()) {
                    out.writeStringField(each.getKey(), each.getValue());
                }
                if (record.getThrown() != null) {
                    StringWriter trace = new StringWriter();
                    record.getThrown().printStackTrace(new PrintWriter(trace));
                    out.writeStringField("stack_trace", trace.toString());
                }
                out.writeEndObject();
            } catch (IOException e) {
                throw new UncheckedIOException(e); // a StringWriter does no I/O
            }
            return line.append('\n').toString();
        }
    }
}
