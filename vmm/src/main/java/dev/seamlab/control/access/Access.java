// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.access;

import com.google.rpc.Code;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.control.host.BadSettingException;
import io.quarkus.runtime.PreventFurtherStepsException;
import io.quarkus.runtime.Startup;
import jakarta.inject.Inject;
import jakarta.inject.Singleton;
import java.util.Map;
import java.util.Optional;
import org.jboss.logging.Logger;
import org.jspecify.annotations.Nullable;

/** Decides who may call a method. */
@Singleton
@Startup
final class Access {
    private static final int BAD_INPUT = 2;
    private static final String SCHEME = "Bearer ";
    private static final Logger LOG = Logger.getLogger(Access.class);

    private final @Nullable Tokens tokens;

    @Inject
    Access(AccessSettings settings) {
        this(settings.tokenFile().map(Access::read).orElse(null));
    }

    /**
     * @param tokens null lets everybody do everything
     */
    Access(@Nullable Tokens tokens) {
        this.tokens = tokens;
    }

    private static Tokens read(String file) {
        try {
            return Tokens.read(file);
        } catch (BadSettingException e) {
            throw new PreventFurtherStepsException(String.valueOf(e.getMessage()), BAD_INPUT);
        }
    }

    /**
     * Who calls, if allowed.
     *
     * @param method full name of the method
     * @param authorization the header of that name; null where there is none
     * @throws Rejection UNAUTHENTICATED without a good token, PERMISSION_DENIED where its role does
     *     not do
     */
    Caller admit(String method, @Nullable String authorization) {
        if (tokens == null) {
            return Caller.ANYBODY;
        }
        if (authorization == null) {
            throw unauthenticated(
                    "NO_TOKEN", "this server wants a token: send 'authorization: Bearer TOKEN'");
        }
        if (!authorization.regionMatches(true, 0, SCHEME, 0, SCHEME.length())) {
            throw unauthenticated(
                    "BAD_SCHEME", "authorization must be 'Bearer TOKEN' and is something else");
        }
        Optional<Caller> caller = tokens.find(authorization.substring(SCHEME.length()).strip());
        if (caller.isEmpty()) {
            throw unauthenticated("UNKNOWN_TOKEN", "the server does not know this token");
        }
        Role needed = MethodRoles.needed(method);
        Role role = caller.get().role();
        if (!role.covers(needed)) {
            LOG.infof("%s may not call %s", caller.get(), method);
            throw Rejection.of(
                    Code.PERMISSION_DENIED,
                    "ROLE_TOO_LOW",
                    method
                            + " needs the role "
                            + needed.text()
                            + ", and this token has the role "
                            + role.text(),
                    Map.of("method", method, "needed", needed.text(), "role", role.text()));
        }
        return caller.get();
    }

    private static Rejection unauthenticated(String reason, String message) {
        return Rejection.of(Code.UNAUTHENTICATED, reason, message, Map.of());
    }
}
