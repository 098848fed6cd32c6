// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.host;

import dev.seamlab.machine.profile.BuiltInProfiles;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;

/** How the host is started; settings {@code seamlab.*}. */
@ConfigMapping(prefix = "seamlab")
interface HostSettings {
    /** Name of a built-in machine profile, or the path of a YAML file. */
    @WithDefault(BuiltInProfiles.DEFAULT)
    String profile();

    /** Which variant of each policy. */
    @WithDefault("v4")
    String preset();
}
