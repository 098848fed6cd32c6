// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;

/** What is measured beyond what is kept anyway; settings {@code seamlab.observe.*}. */
@ConfigMapping(prefix = "seamlab.observe")
public interface ObserveSettings {
    /** Whether to measure how long each SEAMCALL takes: two clock readings more for each. */
    @WithDefault("false")
    boolean leafTimes();

    /** Whether log lines are JSON objects. */
    @WithDefault("false")
    boolean jsonLog();

    /** One SEAMCALL in so many becomes a span where tracing is on; 0 for none. */
    @WithDefault("1000")
    int seamcallSpanEvery();
}
