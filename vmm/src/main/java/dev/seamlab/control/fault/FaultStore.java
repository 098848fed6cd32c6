// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.fault;

import com.google.protobuf.Timestamp;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.v1.Fault;
import dev.seamlab.vmm.Vmm;
import dev.seamlab.vmm.fault.ArmedFault;
import dev.seamlab.vmm.fault.FaultRule;
import jakarta.inject.Singleton;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ThreadLocalRandom;

/** The faults that clients armed, by name, spent ones included, until they are deleted. */
@Singleton
final class FaultStore {
    /** Resource type. */
    static final String TYPE = "seamlab.dev/Fault";

    /** Faults at once: each is asked at each call that it may match. */
    static final int MAX = 256;

    private static final String PREFIX = "faults/";

    /** A fault under its name. */
    record Stored(String name, Fault asked, ArmedFault fault, Timestamp time) {
        /** As it is now. */
        Fault toProto() {
            return asked.toBuilder()
                    .setName(name)
                    .setMatches(fault.matches())
                    .setHits(fault.hits())
                    .setSpent(fault.isSpent())
                    .setCreateTime(time)
                    .build();
        }
    }

    private final Vmm vmm;
    private final Map<String, Stored> byName = new TreeMap<>(); // guarded by this

    FaultStore(Vmm vmm) {
        this.vmm = vmm;
    }

    /** The name for an id; one of the server's choice for the empty one. */
    static String name(String id) {
        return PREFIX
                + (id.isEmpty()
                        ? String.format("fault-%08x", ThreadLocalRandom.current().nextInt())
                        : id);
    }

    /**
     * Refuses what {@link #arm} would refuse.
     *
     * @throws Rejection ALREADY_EXISTS, RESOURCE_EXHAUSTED
     */
    synchronized void check(String name) {
        if (byName.containsKey(name)) {
            throw Rejection.alreadyExists(TYPE, name);
        }
        if (byName.size() >= MAX) {
            throw Rejection.exhausted(
                    "TOO_MANY_FAULTS",
                    "faults",
                    MAX + " faults are known, spent ones included: delete one and try again");
        }
    }

    /** Arms a fault, from now on. */
    synchronized Stored arm(String name, Fault asked, FaultRule rule) {
        check(name);
        Instant now = Instant.now();
        Timestamp time =
                Timestamp.newBuilder()
                        .setSeconds(now.getEpochSecond())
                        .setNanos(now.getNano())
                        .build();
        Stored stored = new Stored(name, asked, vmm.faults().arm(rule), time);
        byName.put(name, stored);
        return stored;
    }

    /** The fault with a name. */
    synchronized Stored find(String name) {
        Stored stored = byName.get(name);
        if (stored == null) {
            throw Rejection.notFound(TYPE, name);
        }
        return stored;
    }

    /** All faults, by name. */
    synchronized List<Stored> all() {
        return List.copyOf(byName.values());
    }

    /** Disarms and forgets a fault. */
    synchronized void delete(String name) {
        vmm.faults().disarm(find(name).fault());
        byName.remove(name);
    }
}
