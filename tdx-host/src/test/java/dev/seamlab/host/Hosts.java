// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import dev.seamlab.host.init.TdxInitException;
import dev.seamlab.host.kernel.KernelLog;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.tdh.SeamcallErrno;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.KeyIdPartition;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.machine.profile.NumaNode;
import java.util.ArrayList;
import java.util.List;

/** Small machines for tests. */
public final class Hosts {
    private static final long MIB = 1L << 20;

    private Hosts() {}

    /** Bring-up by a kernel that makes other things of statuses. */
    public static TdxHost bringUp(Machine machine, SeamcallErrno errnos) throws TdxInitException {
        return new BringUp(
                        machine,
                        new PageAllocator(machine),
                        Preset.V4.policy(),
                        KernelLog.SILENT,
                        errnos)
                .run();
    }

    /** One package, two CPUs, 255 MiB. */
    public static MachineProfile small() {
        return with(ModuleProfile.V1_5_25, false, new AddressRange(MIB, 256 * MIB));
    }

    /** One package, two CPUs, the given memory on one node. */
    public static MachineProfile with(
            ModuleProfile module, boolean erratum, AddressRange... memory) {
        return new MachineProfile(
                "test",
                "",
                1,
                2,
                46,
                new KeyIdPartition(6, 0, 8),
                List.of(new NumaNode(List.of(memory))),
                List.of(memory),
                module,
                erratum);
    }

    /** Two packages of two CPUs, a node of 255 and one of 256 MiB. */
    public static MachineProfile twoPackages() {
        List<AddressRange> first = List.of(new AddressRange(MIB, 256 * MIB));
        List<AddressRange> second = List.of(new AddressRange(1024 * MIB, 1280 * MIB));
        List<AddressRange> all = new ArrayList<>(first);
        all.addAll(second);
        return new MachineProfile(
                "test-2s",
                "",
                2,
                2,
                46,
                new KeyIdPartition(6, 0, 8),
                List.of(new NumaNode(first), new NumaNode(second)),
                all,
                ModuleProfile.V1_5_25,
                false);
    }
}
