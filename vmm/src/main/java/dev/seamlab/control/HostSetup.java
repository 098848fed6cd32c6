// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control;

import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.vmm.Outcome;
import dev.seamlab.vmm.Vmm;
import dev.seamlab.vmm.VmmOptions;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A host that is ready to be started: settings that have been read and found good. */
public final class HostSetup {
    private final MachineProfile profile;
    private final String preset;
    private final List<String> bootLog = new CopyOnWriteArrayList<>();

    private HostSetup(MachineProfile profile, String preset) {
        this.profile = profile;
        this.preset = preset;
    }

    /**
     * Reads the settings.
     *
     * @param profile name of a built-in profile, or path of a YAML file
     * @param preset which variant of each policy
     * @throws dev.seamlab.machine.profile.InvalidProfileException naming each bad field and how to
     *     mend it
     */
    public static HostSetup of(String profile, String preset) {
        throw new UnsupportedOperationException();
    }

    /** Brings the host up. */
    Outcome<Vmm> start() {
        return Vmm.start(new VmmOptions(profile, !preset.equals("static")));
    }

    String preset() {
        return preset;
    }

    /** What the host's kernel said so far. */
    List<String> bootLog() {
        return List.copyOf(bootLog);
    }
}
