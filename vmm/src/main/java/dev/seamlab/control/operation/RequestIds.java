// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.operation;

import com.google.protobuf.Message;
import com.google.rpc.Code;
import dev.seamlab.control.call.Digests;
import dev.seamlab.control.call.Rejection;
import jakarta.inject.Singleton;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;

/**
 * Makes calls with a request id happen once: a repeated request gets the answer of the first. The
 * last {@link #REMEMBERED} ids are known.
 */
@Singleton
public final class RequestIds {
    static final int REMEMBERED = 4096;

    /** A digest instead of the request: firmware images are large. */
    private record Seen(String digest, Object answer) {}

    // guarded by this; short and cold
    private final Map<String, Seen> seen =
            new LinkedHashMap<>() {
                private static final long serialVersionUID = 1L;

                @Override
                protected boolean removeEldestEntry(Map.Entry<String, Seen> eldest) {
                    return size() > REMEMBERED;
                }
            };

    /**
     * What the first request with this id was answered with, or something new.
     *
     * @param id the request id; empty means that each request stands for itself
     * @param type of the answer; requests with other types of answers are other requests
     * @param start begins what was asked for; must return at once
     * @throws Rejection where the id was used for another request
     */
    public <T> T once(String id, Message request, Class<T> type, Supplier<T> start) {
        if (id.isEmpty()) {
            return start.get();
        }
        String digest = HexFormat.of().formatHex(Digests.sha256(request.toByteArray()));
        synchronized (this) {
            Seen first = seen.get(id);
            if (first == null) {
                T answer = start.get();
                seen.put(id, new Seen(digest, answer));
                return answer;
            }
            if (!first.digest().equals(digest) || !type.isInstance(first.answer())) {
                throw Rejection.of(
                        Code.ALREADY_EXISTS,
                        "REQUEST_ID_REUSED",
                        "request_id: "
                                + id
                                + " was used for another request: send a new UUID with each new"
                                + " request",
                        Map.of("request_id", id));
            }
            return type.cast(first.answer());
        }
    }

    /** The operation of the first request with this id, or a new one. */
    public StoredOperation once(String id, Message request, Supplier<StoredOperation> start) {
        return once(id, request, StoredOperation.class, start);
    }
}
