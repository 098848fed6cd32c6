// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.host;

import dev.seamlab.host.HostPolicy;
import dev.seamlab.host.PolicyText;
import dev.seamlab.machine.profile.BuiltInProfiles;
import dev.seamlab.machine.profile.InvalidProfileException;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ProfileReader;
import dev.seamlab.vmm.Outcome;
import dev.seamlab.vmm.Refusal;
import dev.seamlab.vmm.Vmm;
import dev.seamlab.vmm.VmmOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** A host from its settings to the moment it is up. */
public final class HostSetup {
    private static final int MAX_LINES = 1000;

    private static final AtomicReference<@Nullable HostSetup> PREPARED = new AtomicReference<>();

    private final MachineProfile profile;
    private final String preset;
    private final HostPolicy policy;
    private final List<String> bootLog = new CopyOnWriteArrayList<>();
    private final SeamcallCounters seamcalls;
    private Consumer<String> follower = line -> {}; // guarded by bootLog
    private @Nullable Vmm vmm; // guarded by this

    private HostSetup(MachineProfile profile, String preset, HostPolicy policy) {
        this.profile = profile;
        this.preset = preset;
        this.policy = policy;
        this.seamcalls = new SeamcallCounters(profile.cpus());
    }

    /**
     * Reads the settings.
     *
     * @param profile name of a built-in profile, or path of a YAML file
     * @param preset which variant of each policy, as {@link PolicyText} reads it
     * @throws BadSettingException naming the setting, each bad field, and how to mend it
     */
    public static HostSetup of(String profile, String preset) {
        return new HostSetup(profile(profile), preset, policy(preset));
    }

    /**
     * Brings a host up before the server starts, so that one that does not come up is told in one
     * line. The server of this process takes it over.
     *
     * @throws BadSettingException as {@link #of}, or with the step of the bring-up that failed
     */
    public static void prepare(String profile, String preset) {
        HostSetup setup = of(profile, preset);
        setup.vmm();
        PREPARED.set(setup);
    }

    /** The host that was prepared, once. */
    static @Nullable HostSetup takePrepared() {
        return PREPARED.getAndSet(null);
    }

    /**
     * The host; the first call brings it up.
     *
     * @throws BadSettingException with the step of the bring-up that failed
     */
    synchronized Vmm vmm() {
        if (vmm == null) {
            VmmOptions options = new VmmOptions(profile, policy, this::note, seamcalls);
            vmm =
                    switch (Vmm.start(options)) {
                        case Outcome.Done<Vmm>(Vmm up) -> up;
                        case Outcome.Refused<Vmm>(Refusal refusal) ->
                                throw new BadSettingException("profile", refusal.message());
                    };
        }
        return vmm;
    }

    /** What the module of this host was asked. */
    public SeamcallCounters seamcalls() {
        return seamcalls;
    }

    /** Keeps a line of the kernel log. A host that complains for ever keeps its first lines. */
    private void note(String line) {
        synchronized (bootLog) {
            if (bootLog.size() < MAX_LINES) {
                bootLog.add(line);
            }
            follower.accept(line);
        }
    }

    /** Tells somebody of each line of the kernel log, those that are there already among them. */
    void follow(Consumer<String> told) {
        synchronized (bootLog) {
            bootLog.forEach(told);
            follower = told;
        }
    }

    /** The policy as it was asked for. */
    public String preset() {
        return preset;
    }

    /** What the host's kernel said so far. */
    public List<String> bootLog() {
        return List.copyOf(bootLog);
    }

    private static MachineProfile profile(String name) {
        try {
            return looksLikeFile(name)
                    ? ProfileReader.read(Path.of(name))
                    : BuiltInProfiles.byName(name);
        } catch (InvalidProfileException e) {
            throw new BadSettingException("profile", describe(name, e));
        } catch (NoSuchFileException e) {
            throw new BadSettingException(
                    "profile",
                    "there is no file "
                            + name
                            + ": name another, or one of "
                            + String.join(", ", BuiltInProfiles.names()));
        } catch (IOException | InvalidPathException e) {
            throw new BadSettingException("profile", name + " cannot be read: " + e);
        }
    }

    private static String describe(String name, InvalidProfileException e) {
        if (!looksLikeFile(name) && !BuiltInProfiles.names().contains(name)) {
            return "there is no \""
                    + name
                    + "\": name a YAML file, or one of "
                    + String.join(", ", BuiltInProfiles.names());
        }
        return e.violations().stream()
                .map(InvalidProfileException.Violation::toString)
                .collect(Collectors.joining("; ", name + ": ", ""));
    }

    private static boolean looksLikeFile(String name) {
        return !BuiltInProfiles.names().contains(name)
                && (name.contains("/")
                        || name.endsWith(".yaml")
                        || name.endsWith(".yml")
                        || Files.isRegularFile(Path.of(name)));
    }

    private static HostPolicy policy(String text) {
        try {
            return PolicyText.parse(text);
        } catch (IllegalArgumentException e) {
            throw new BadSettingException("preset", String.valueOf(e.getMessage()));
        }
    }
}
