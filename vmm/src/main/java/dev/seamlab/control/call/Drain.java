// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import jakarta.inject.Singleton;

/** Whether the server is on its way out: streams end, so that nothing keeps it. Any thread. */
@Singleton
public class Drain {
    private volatile boolean begun;

    /** Ends all streams soon. */
    public void begin() {
        begun = true;
    }

    /** Whether streams should end. */
    public boolean hasBegun() {
        return begun;
    }
}
