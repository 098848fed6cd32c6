// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import java.util.ServiceLoader;

/** The wiring of this JVM. */
final class Installed {
    static final Wiring WIRING =
            ServiceLoader.load(Wiring.class).findFirst().orElseGet(FreeWiring::new);

    private Installed() {}
}
