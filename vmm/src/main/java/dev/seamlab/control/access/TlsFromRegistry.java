// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.access;

import io.quarkus.grpc.api.ServerBuilderCustomizer;
import io.quarkus.grpc.runtime.config.GrpcServerConfiguration;
import io.quarkus.tls.TlsConfiguration;
import io.quarkus.tls.TlsConfigurationRegistry;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.grpc.VertxServerBuilder;
import jakarta.inject.Singleton;

/**
 * Gives the gRPC server the certificates of the TLS registry under the name {@link #NAME}. The
 * separate gRPC server of Quarkus reads settings of its own and not the registry; whether it speaks
 * TLS, and asks clients for certificates, is still said there ({@code plain-text}, {@code
 * ssl.client-auth}).
 */
@Singleton
final class TlsFromRegistry implements ServerBuilderCustomizer<VertxServerBuilder> {
    /** Name of the configuration in the registry. */
    static final String NAME = "seamlab";

    private final TlsConfigurationRegistry registry;

    TlsFromRegistry(TlsConfigurationRegistry registry) {
        this.registry = registry;
    }

    @Override
    public void customize(GrpcServerConfiguration config, VertxServerBuilder builder) {
        if (!config.plainText()) {
            registry.get(NAME).ifPresent(tls -> builder.useSsl(options -> apply(tls, options)));
        }
    }

    private static void apply(TlsConfiguration tls, HttpServerOptions options) {
        options.setKeyCertOptions(tls.getKeyStoreOptions());
        if (tls.getTrustStoreOptions() != null) {
            options.setTrustOptions(tls.getTrustStoreOptions());
        }
    }
}
