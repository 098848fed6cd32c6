// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import com.google.protobuf.Timestamp;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.control.call.TrustDomainName;
import dev.seamlab.v1.Firmware;
import jakarta.inject.Singleton;
import java.time.Instant;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicLong;

/** The {@link Birth} of each trust domain, from the accepted request to the end of its delete. */
@Singleton
final class Births {
    private final ConcurrentMap<String, Birth> byId = new ConcurrentHashMap<>();
    private final AtomicLong serial = new AtomicLong();

    /**
     * Notes a birth, now, and takes the name.
     *
     * @throws Rejection ALREADY_EXISTS where the name is taken
     */
    Birth note(String id, Firmware firmware, Notes notes) {
        Instant now = Instant.now();
        Birth birth =
                new Birth(
                        serial.incrementAndGet(),
                        Timestamp.newBuilder()
                                .setSeconds(now.getEpochSecond())
                                .setNanos(now.getNano())
                                .build(),
                        firmware,
                        notes);
        if (byId.putIfAbsent(id, birth) != null) {
            throw Rejection.alreadyExists(TrustDomainName.TYPE, TrustDomainName.of(id));
        }
        return birth;
    }

    Birth of(String id) {
        return byId.getOrDefault(id, Birth.UNKNOWN);
    }

    /** Gives the name free: nothing was created, or it was deleted. */
    void forget(String id) {
        byId.remove(id);
    }
}
