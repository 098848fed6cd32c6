// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vectors;

import com.fasterxml.jackson.databind.JsonNode;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.KeyIdPartition;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.machine.profile.NumaNode;
import dev.seamlab.seam.TdxModule;
import java.util.ArrayList;
import java.util.List;

/** Builds the machine that a scenario's header describes, with the module loaded. */
final class VectorPlatform {
    private VectorPlatform() {}

    static Machine machine(JsonNode header) {
        Machine machine = new Machine(profile(header));
        machine.load(new TdxModule(machine));
        return machine;
    }

    static MachineProfile profile(JsonNode header) {
        JsonNode platform = header.get("platform");
        List<AddressRange> cmrs = new ArrayList<>();
        for (JsonNode cmr : header.get("memory").get("cmrs")) {
            long base = Hex.number(cmr.get("base"));
            cmrs.add(new AddressRange(base, base + Hex.number(cmr.get("size"))));
        }
        int packages = platform.get("num_packages").asInt();
        int first = (int) Hex.number(platform.get("private_hkid_min"));
        int last = (int) Hex.number(platform.get("private_hkid_max"));
        return new MachineProfile(
                "vectors",
                header.get("scenario").asText(),
                packages,
                platform.get("num_lps").asInt() / packages,
                platform.get("max_pa").asInt(),
                new KeyIdPartition(platform.get("hkid_bits").asInt(), first - 1, last - first + 1),
                List.of(new NumaNode(cmrs)),
                cmrs,
                ModuleProfile.V1_5_25,
                false);
    }
}
