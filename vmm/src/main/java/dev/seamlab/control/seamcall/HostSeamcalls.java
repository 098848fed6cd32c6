// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import jakarta.inject.Singleton;

/** What those who measure get to see of the SEAMCALLs of the server's own host. */
@Singleton
public final class HostSeamcalls {
    private final RawTarget host;

    HostSeamcalls(Sandboxes sandboxes) {
        this.host = sandboxes.find("");
    }

    /** Measures all calls from now on, for as long as the host lives. */
    public LeafTimes measure() {
        LeafTimes times = new LeafTimes(host.raw().machine().cpus().size());
        host.tap().measure(times);
        return times;
    }
}
