// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine;

import org.jspecify.annotations.Nullable;

/**
 * What one vCPU executes, as long as somebody has it bound; see {@link Machine#bindGuest}. A CPU
 * may keep this object over many entries: it follows a change, and is empty for good once the guest
 * was unbound. Any thread may read it.
 */
public final class GuestBinding {
    private volatile @Nullable GuestContext context;

    GuestBinding(GuestContext context) {
        this.context = context;
    }

    /** What the vCPU executes, or null where that has ended. */
    public @Nullable GuestContext context() {
        return context;
    }

    void context(@Nullable GuestContext next) {
        context = next;
    }
}
