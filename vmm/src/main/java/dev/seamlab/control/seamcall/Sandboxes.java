// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import dev.seamlab.control.call.Limits;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.machine.profile.BuiltInProfiles;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.seam.SeamcallListener;
import dev.seamlab.vmm.RawMachine;
import dev.seamlab.vmm.Vmm;
import jakarta.inject.Singleton;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** The machines that raw calls can be for: the server's host, and sandboxes. */
@Singleton
final class Sandboxes {
    /** Pages that may have contents in a sandbox: 256 MiB. */
    private static final long SANDBOX_PAGES = 64 << 10;

    /** Pages that may have contents on the host: 1 GiB, what its guests wrote included. */
    private static final long HOST_PAGES = 256 << 10;

    private final RawTarget host;
    private final Map<String, RawTarget> sandboxes = new ConcurrentHashMap<>();
    private final int max;
    private final AtomicInteger places = new AtomicInteger();

    Sandboxes(Vmm vmm, Limits limits) {
        this.max = limits.sandboxes();
        this.host = new RawTarget("", vmm.raw(), HOST_PAGES);
    }

    /** The machine that a request names. */
    RawTarget find(String name) {
        if (name.isEmpty()) {
            return host;
        }
        RawTarget found = sandboxes.get(name);
        if (found == null) {
            throw Rejection.notFound(SandboxName.TYPE, name);
        }
        return found;
    }

    /** All sandboxes, by name. */
    List<RawTarget> list() {
        return sandboxes.values().stream().sorted(Comparator.comparing(RawTarget::name)).toList();
    }

    /**
     * Switches a sandbox on.
     *
     * @param id empty for one that the server chooses
     * @param profile name of a built-in profile, or empty for that of the host
     */
    RawTarget create(String id, String profile) {
        MachineProfile machine = profile(profile);
        String name =
                SandboxName.of(
                        id.isEmpty()
                                ? String.format("lab-%08x", ThreadLocalRandom.current().nextInt())
                                : id);
        if (sandboxes.containsKey(name)) {
            throw Rejection.alreadyExists(SandboxName.TYPE, name);
        }
        if (places.incrementAndGet() > max) {
            places.decrementAndGet();
            throw Rejection.exhausted(
                    "TOO_MANY_SANDBOXES",
                    "sandboxes",
                    max + " sandboxes are on: delete one and try again");
        }
        RawTarget made =
                new RawTarget(
                        name, RawMachine.switchOn(machine, SeamcallListener.NONE), SANDBOX_PAGES);
        if (sandboxes.putIfAbsent(name, made) != null) {
            places.decrementAndGet();
            throw Rejection.alreadyExists(SandboxName.TYPE, name);
        }
        return made;
    }

    /** Switches a sandbox off. */
    void delete(String name, boolean allowMissing) {
        @Nullable RawTarget gone = sandboxes.remove(name);
        if (gone != null) {
            places.decrementAndGet();
            gone.tap().end();
        } else if (!allowMissing) {
            throw Rejection.notFound(SandboxName.TYPE, name);
        }
    }

    private MachineProfile profile(String name) {
        if (name.isEmpty()) {
            return host.raw().machine().profile();
        }
        if (!BuiltInProfiles.names().contains(name)) {
            throw Rejection.invalid(
                    "sandbox.profile",
                    "\""
                            + name
                            + "\" is no built-in profile; there are "
                            + String.join(", ", BuiltInProfiles.names()));
        }
        return BuiltInProfiles.byName(name);
    }
}
