// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.metrics;

import io.prometheus.client.CollectorRegistry;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;

/**
 * What /q/metrics shows, below Micrometer: one registry for Micrometer's own and for {@link
 * TimeHistogram}s. Quarkus' default would give each who asks for it another one.
 */
@Singleton
final class ScrapedRegistry {
    private static final boolean ASK_FOR_NAMES = true;

    @Produces
    @Singleton
    CollectorRegistry registry() {
        return new CollectorRegistry(ASK_FOR_NAMES);
    }
}
