// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.control.access.Tokens;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Who may reach a server, and how. */
final class ServeSecurity {
    /** The configuration in Quarkus' TLS registry that both ports use. */
    private static final String TLS = "quarkus.tls.seamlab.";

    private static final String INSECURE_REQUESTS = "quarkus.http.insecure-requests";

    @Option(
            names = "--tls-cert",
            paramLabel = "FILE",
            description = "Certificate chain of the server (PEM); both ports speak TLS then.")
    private @Nullable Path certificate;

    @Option(names = "--tls-key", paramLabel = "FILE", description = "Its private key (PEM).")
    private @Nullable Path key;

    @Option(
            names = "--tls-client-ca",
            paramLabel = "FILE",
            description =
                    "Clients must show a certificate that one of these authorities (PEM) signed.")
    private @Nullable Path clientCa;

    @Option(
            names = "--token-file",
            paramLabel = "FILE",
            description =
                    "Clients must send a token from this file: lines 'token role [name]', role"
                            + " viewer, operator or lab.")
    private @Nullable Path tokenFile;

    @Option(
            names = "--insecure",
            description = "Listen beyond loopback without TLS or without tokens.")
    private boolean insecure;

    /**
     * Looks for what is wrong before anything starts.
     *
     * @throws CommandFailure naming the option
     */
    void check(String address) {
        requireFile("--tls-cert", certificate);
        requireFile("--tls-key", key);
        requireFile("--tls-client-ca", clientCa);
        if ((certificate == null) != (key == null)) {
            throw bad("--tls-cert and --tls-key belong together: give both or neither");
        }
        if (clientCa != null && certificate == null) {
            throw bad("--tls-client-ca: needs --tls-cert and --tls-key");
        }
        if (tokenFile != null) {
            Tokens.read(tokenFile.toString());
        }
        if (!insecure && !isLoopback(address) && (certificate == null || tokenFile == null)) {
            throw bad(
                    "--host: "
                            + address
                            + " can be reached from other machines: give --tls-cert, --tls-key and"
                            + " --token-file, or --insecure where everybody there may do everything");
        }
    }

    /** Tells the server. */
    void apply(int httpPort) {
        if (tokenFile != null) {
            System.setProperty("seamlab.access.token-file", tokenFile.toString());
        }
        if (certificate == null || key == null) {
            return;
        }
        System.setProperty(TLS + "key-store.pem.0.cert", certificate.toString());
        System.setProperty(TLS + "key-store.pem.0.key", key.toString());
        System.setProperty("quarkus.grpc.server.plain-text", "false");
        System.setProperty("quarkus.http.tls-configuration-name", "seamlab");
        System.setProperty(INSECURE_REQUESTS, "disabled");
        System.setProperty("quarkus.http.ssl-port", Integer.toString(httpPort));
        if (clientCa != null) {
            System.setProperty(TLS + "trust-store.pem.certs", clientCa.toString());
            System.setProperty("quarkus.grpc.server.ssl.client-auth", "REQUIRED");
        }
    }

    /** What the HTTP port speaks. */
    static String scheme() {
        return System.getProperty(INSECURE_REQUESTS) == null ? "http" : "https";
    }

    private static boolean isLoopback(String address) {
        try {
            for (InetAddress each : InetAddress.getAllByName(address)) {
                if (!each.isLoopbackAddress()) {
                    return false;
                }
            }
            return true;
        } catch (UnknownHostException e) {
            throw bad("--host: there is no " + address);
        }
    }

    private static void requireFile(String option, @Nullable Path file) {
        if (file != null && !Files.isReadable(file)) {
            throw bad(option + ": cannot read " + file);
        }
    }

    private static CommandFailure bad(String message) {
        return new CommandFailure(ExitCodes.BAD_INPUT, message);
    }
}
