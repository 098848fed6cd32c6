// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.QuarkusApplication;
import java.util.concurrent.Callable;
import org.eclipse.microprofile.config.ConfigProvider;
import org.jboss.logging.Logger;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code seamlab serve}. */
@Command(
        name = "serve",
        description = "Starts a host and serves its API until it is told to end.",
        footer = {
            "",
            "Metrics are at /q/metrics on the HTTP port. Every setting can also come from the",
            "environment, for example SEAMLAB_PROFILE or QUARKUS_GRPC_SERVER_PORT.",
            "",
            "Examples:",
            "  seamlab serve",
            "  seamlab serve --profile server-2t-2s --preset merged",
            "  seamlab serve --profile my-host.yaml --grpc-port 9990"
        })
final class ServeCommand implements Callable<Integer> {
    @Mixin private HostOptions host;

    @Option(names = "--grpc-port", paramLabel = "PORT", description = "gRPC port (default: 9870).")
    private int grpcPort = -1;

    @Option(
            names = "--http-port",
            paramLabel = "PORT",
            description = "HTTP port for metrics (default: 9871).")
    private int httpPort = -1;

    @Option(
            names = "--host",
            paramLabel = "ADDRESS",
            description =
                    "Address to listen on (default: 127.0.0.1). The API has no access control:"
                            + " open it to networks that you trust.")
    private String address = "";

    @Override
    public Integer call() {
        host.check();
        port("--grpc-port", Server.GRPC_PORT, grpcPort);
        port("--http-port", Server.HTTP_PORT, httpPort);
        if (!address.isEmpty()) {
            System.setProperty(Server.GRPC_HOST, address);
            System.setProperty(Server.HTTP_HOST, address);
        }
        return Server.run(Serving.class);
    }

    private static void port(String option, String property, int port) {
        if (port == -1) {
            return;
        }
        if (port < 1 || port > 65535) {
            throw new CommandFailure(
                    ExitCodes.BAD_INPUT, option + ": is " + port + ", must be 1 to 65535");
        }
        System.setProperty(property, Integer.toString(port));
    }

    /** What runs once the server is up: a line that says so, and patience. */
    static final class Serving implements QuarkusApplication {
        private static final Logger LOG = Logger.getLogger("dev.seamlab");

        @Override
        public int run(String... args) {
            var config = ConfigProvider.getConfig();
            LOG.infof(
                    "Serving gRPC on %s:%s, metrics on http://%s:%s/q/metrics",
                    config.getValue(Server.GRPC_HOST, String.class),
                    config.getValue(Server.GRPC_PORT, String.class),
                    config.getValue(Server.HTTP_HOST, String.class),
                    config.getValue(Server.HTTP_PORT, String.class));
            Quarkus.waitForExit();
            return ExitCodes.OK;
        }
    }
}
