// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import java.util.ServiceLoader;

/** The wiring of this JVM, chosen once when the first class of the seam is used. */
final class Installed {
    static final Wiring WIRING = choose();

    private Installed() {}

    private static Wiring choose() {
        if (Boolean.getBoolean(SteppedRun.PROPERTY)) {
            return new SteppedWiring();
        }
        return ServiceLoader.load(Wiring.class).findFirst().orElseGet(FreeWiring::new);
    }
}
