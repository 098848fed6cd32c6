// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.host.TdxHost;
import dev.seamlab.host.cpu.HostCpu;
import java.util.function.Function;

/** Questions to the module that must not collide with what the host does. */
final class Stopped {
    private Stopped() {}

    /** Works on some CPU while the world is stopped. */
    static <T> T with(TdxHost host, Function<HostCpu, T> work) {
        return host.stopMachine()
                .whileStopped(() -> {
                    HostCpu cpu = host.cpus().claimAny();
                    try {
                        return work.apply(cpu);
                    } finally {
                        host.cpus().release(cpu);
                    }
                });
    }
}
