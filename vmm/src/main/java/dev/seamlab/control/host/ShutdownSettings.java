// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.host;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.time.Duration;

/** How the server ends; settings {@code seamlab.shutdown.*}. */
@ConfigMapping(prefix = "seamlab.shutdown")
interface ShutdownSettings {
    /** How long running operations may go on before they are cancelled, and after that to end. */
    @WithDefault("10s")
    Duration grace();
}
