// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.events;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;

/** How events are kept; settings {@code seamlab.events.*}. */
@ConfigMapping(prefix = "seamlab.events")
interface EventSettings {
    /** Events that are kept, 1 to 1048576. */
    @WithDefault("4096")
    int kept();
}
