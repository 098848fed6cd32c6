// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.QuarkusApplication;
import java.util.concurrent.atomic.AtomicInteger;

/** The server inside this process. */
final class Server {
    static final String GRPC_PORT = "quarkus.grpc.server.port";
    static final String GRPC_HOST = "quarkus.grpc.server.host";
    static final String HTTP_PORT = "quarkus.http.port";
    static final String HTTP_HOST = "quarkus.http.host";

    private Server() {}

    /**
     * Starts the server, hands over to the application, and stops the server when that returns.
     *
     * @return the exit code of the application, or of a start that failed
     */
    static int run(Class<? extends QuarkusApplication> application) {
        AtomicInteger exitCode = new AtomicInteger(ExitCodes.INTERNAL);
        Quarkus.run(application, (code, problem) -> exitCode.set(code));
        return exitCode.get();
    }
}
