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
            "Metrics are at /q/metrics on the HTTP port. Settings can also come from the environment,",
            "for example SEAMLAB_PROFILE or QUARKUS_GRPC_SERVER_PORT.",
            "",
            "Examples:",
            "  seamlab serve",
            "  seamlab serve --profile server-2t-2s --preset merged",
            "  seamlab serve --profile my-host.yaml --grpc-port 9990",
            "  seamlab serve --log json",
            "  seamlab serve --host 0.0.0.0 --tls-cert tls.crt --tls-key tls.key --token-file tokens"
        })
final class ServeCommand implements Callable<Integer> {
    @Mixin private HostOptions host;

    @Option(
            names = "--grpc-port",
            paramLabel = "PORT",
            defaultValue = "${QUARKUS_GRPC_SERVER_PORT:-9870}",
            description = "gRPC port (default: 9870).")
    private int grpcPort;

    @Option(
            names = "--http-port",
            paramLabel = "PORT",
            defaultValue = "${QUARKUS_HTTP_PORT:-9871}",
            description = "HTTP port for metrics (default: 9871).")
    private int httpPort;

    @Option(
            names = "--host",
            paramLabel = "ADDRESS",
            defaultValue = "127.0.0.1",
            description =
                    "Address to listen on (default: 127.0.0.1). Beyond loopback it wants"
                            + " --tls-cert and --token-file, or --insecure.")
    private String address;

    @Mixin private ServeSecurity security;

    @Mixin private ServeObservation observation;

    @Override
    public Integer call() {
        security.check(address);
        host.bringUp();
        listen("--grpc-port", grpcPort, Server.GRPC_HOST, Server.GRPC_PORT);
        listen("--http-port", httpPort, Server.HTTP_HOST, Server.HTTP_PORT);
        security.apply(httpPort);
        observation.apply();
        return Server.run(Serving.class);
    }

    private void listen(String option, int port, String hostProperty, String portProperty) {
        if (port < 0 || port > 65535) {
            throw new CommandFailure(
                    ExitCodes.BAD_INPUT,
                    option + ": is " + port + ", must be 1 to 65535, or 0 for any that is free");
        }
        Server.requireFree(option, address, port);
        System.setProperty(hostProperty, address);
        System.setProperty(portProperty, Integer.toString(port));
    }

    /** What runs once the server is up: a line that says so, and patience. */
    static final class Serving implements QuarkusApplication {
        private static final Logger LOG = Logger.getLogger("dev.seamlab");

        @Override
        public int run(String... args) {
            var config = ConfigProvider.getConfig();
            LOG.infof(
                    "Serving gRPC on %s:%s, metrics on %s://%s:%s/q/metrics",
                    config.getValue(Server.GRPC_HOST, String.class),
                    config.getValue(Server.GRPC_PORT, String.class),
                    ServeSecurity.scheme(),
                    config.getValue(Server.HTTP_HOST, String.class),
                    config.getValue(Server.HTTP_PORT, String.class));
            Quarkus.waitForExit();
            return ExitCodes.OK;
        }
    }
}
