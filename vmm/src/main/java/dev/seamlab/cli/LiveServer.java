// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.annotations.QuarkusMain;

/**
 * What development mode runs: the server without the command around it. The command would find its
 * ports taken after each reload, because development mode keeps them open.
 */
@QuarkusMain(name = "live")
public final class LiveServer {
    private LiveServer() {}

    /** Serves until development mode ends or reloads. */
    public static void main(String... args) {
        Quarkus.run(ServeCommand.Serving.class, args);
    }
}
