// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptor;
import io.grpc.InsecureChannelCredentials;
import io.grpc.Metadata;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How a client makes sure of the server, and shows who it is. */
final class Security {
    private static final Metadata.Key<String> AUTHORIZATION =
            Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

    @Option(names = "--tls", description = "Speak TLS (also where one of the next three is given).")
    private boolean tls;

    @Option(
            names = "--ca",
            paramLabel = "FILE",
            defaultValue = "${SEAMLAB_CA:-" + Option.NULL_VALUE + "}",
            description = "Trust these authorities (PEM; or SEAMLAB_CA; default: those of Java).")
    private @Nullable Path ca;

    @Option(
            names = "--cert",
            paramLabel = "FILE",
            description = "Certificate chain of this client (PEM).")
    private @Nullable Path certificate;

    @Option(names = "--key", paramLabel = "FILE", description = "Its private key (PEM).")
    private @Nullable Path key;

    @Option(
            names = "--token",
            paramLabel = "TOKEN",
            defaultValue = "${SEAMLAB_TOKEN:-" + Option.NULL_VALUE + "}",
            description = "Token to show (better SEAMLAB_TOKEN: others can see command lines).")
    private @Nullable String token;

    /**
     * What the connection stands on.
     *
     * @throws CommandFailure naming the option that is no good
     */
    ChannelCredentials credentials() {
        if (!tls && ca == null && certificate == null && key == null) {
            return InsecureChannelCredentials.create();
        }
        if ((certificate == null) != (key == null)) {
            throw new CommandFailure(
                    ExitCodes.BAD_INPUT, "--cert and --key belong together: give both or neither");
        }
        try {
            TlsChannelCredentials.Builder builder = TlsChannelCredentials.newBuilder();
            if (ca != null) {
                builder.trustManager(ca.toFile());
            }
            if (certificate != null && key != null) {
                builder.keyManager(certificate.toFile(), key.toFile());
            }
            return builder.build();
        } catch (IOException | IllegalArgumentException e) {
            throw new CommandFailure(
                    ExitCodes.BAD_INPUT, "--ca, --cert or --key: " + e.getMessage());
        }
    }

    /** Puts the token on each call; nothing where there is none. */
    ClientInterceptor bearer() {
        Metadata headers = new Metadata();
        if (token != null && !token.isBlank()) {
            headers.put(AUTHORIZATION, "Bearer " + token.strip());
        }
        return MetadataUtils.newAttachHeadersInterceptor(headers);
    }
}
