// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import io.quarkus.runtime.PreventFurtherStepsException;
import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.QuarkusApplication;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

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
     * @return the exit code of the application
     * @throws CommandFailure where the server does not start
     */
    static int run(Class<? extends QuarkusApplication> application) {
        AtomicInteger exitCode = new AtomicInteger(ExitCodes.INTERNAL);
        AtomicReference<@Nullable Throwable> trouble = new AtomicReference<>();
        Quarkus.run(
                application,
                (code, problem) -> {
                    exitCode.set(code);
                    trouble.set(problem);
                });
        Throwable problem = trouble.get();
        if (problem != null) {
            throw failure(problem);
        }
        return exitCode.get();
    }

    /**
     * Makes sure that a port is free. A server that finds its gRPC port taken only logs it and goes
     * on without.
     *
     * @param option who names it, for the message
     */
    static void requireFree(String option, String address, int port) {
        try (ServerSocket probe = new ServerSocket()) {
            probe.setReuseAddress(true);
            probe.bind(new InetSocketAddress(address, port));
        } catch (IOException | IllegalArgumentException e) {
            throw new CommandFailure(
                    ExitCodes.BAD_INPUT,
                    option
                            + ": cannot listen on "
                            + address
                            + ":"
                            + port
                            + " ("
                            + e.getMessage()
                            + "): choose another, or 0 for any that is free");
        }
    }

    private static CommandFailure failure(Throwable problem) {
        for (Throwable cause = problem; cause != null; cause = cause.getCause()) {
            if (cause instanceof PreventFurtherStepsException refused) {
                return new CommandFailure(
                        refused.getExitCode(), String.valueOf(refused.getMessage()));
            }
        }
        return new CommandFailure(ExitCodes.INTERNAL, "the server did not start: " + problem);
    }
}
