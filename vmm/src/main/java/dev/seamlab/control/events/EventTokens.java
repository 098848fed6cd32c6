// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.events;

import com.google.rpc.Code;
import dev.seamlab.control.call.Rejection;
import java.util.Map;

/** Places in the log as clients carry them: the run of the server, and the last number seen. */
final class EventTokens {
    private static final char SEPARATOR = '.';

    private EventTokens() {}

    static String write(EventLog log, long position) {
        return log.run() + SEPARATOR + position;
    }

    /**
     * The last number seen.
     *
     * @param field that carries the token
     * @throws Rejection INVALID_ARGUMENT where it is no token, OUT_OF_RANGE where it is one of
     *     another run
     */
    static long read(EventLog log, String field, String token) {
        int at = token.indexOf(SEPARATOR);
        long position;
        try {
            position = at < 0 ? -1 : Long.parseLong(token.substring(at + 1));
        } catch (NumberFormatException e) {
            position = -1;
        }
        if (position < 0) {
            throw Rejection.invalid(
                    field, "is no token of this service: send the last one as it came");
        }
        if (!token.substring(0, at).equals(log.run())) {
            throw Rejection.of(
                    Code.OUT_OF_RANGE,
                    "EARLIER_RUN",
                    field
                            + ": belongs to another run of the server, whose events are gone: begin"
                            + " again without a token",
                    Map.of("run", log.run()));
        }
        if (position > log.last()) {
            throw Rejection.invalid(field, "is of an event that has not happened yet");
        }
        return position;
    }

    /** The answer to a token whose next events have been overwritten. */
    static Rejection expired(String field) {
        return Rejection.of(
                Code.OUT_OF_RANGE,
                "TOKEN_EXPIRED",
                field
                        + ": what happened after it is not kept any more: begin again without a"
                        + " token",
                Map.of());
    }
}
