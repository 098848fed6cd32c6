// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.access;

import dev.seamlab.control.call.Rejection;
import io.quarkus.vertx.http.runtime.filters.Filters;
import io.vertx.core.http.HttpHeaders;
import jakarta.enterprise.event.Observes;
import jakarta.inject.Singleton;

/** Stands before every page of the HTTP port: whoever reads metrics has to be a viewer at least. */
@Singleton
final class MetricsAccess {
    private static final int FIRST = 1000;
    private static final int UNAUTHORIZED = 401;

    private final Access access;

    MetricsAccess(Access access) {
        this.access = access;
    }

    void install(@Observes Filters filters) {
        filters.register(
                route -> {
                    try {
                        access.admit(
                                MethodRoles.READ_METRICS,
                                route.request().getHeader(HttpHeaders.AUTHORIZATION));
                    } catch (Rejection no) {
                        route.response()
                                .setStatusCode(UNAUTHORIZED)
                                .putHeader("WWW-Authenticate", "Bearer")
                                .end(no.getMessage() + "\n");
                        return;
                    }
                    route.next();
                },
                FIRST);
    }
}
