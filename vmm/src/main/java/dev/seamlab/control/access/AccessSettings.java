// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.access;

import io.smallrye.config.ConfigMapping;
import java.util.Optional;

/** Who may call; settings {@code seamlab.access.*}. */
@ConfigMapping(prefix = "seamlab.access")
interface AccessSettings {
    /** File of tokens, see {@link Tokens}; without one everybody who reaches the server is lab. */
    Optional<String> tokenFile();
}
