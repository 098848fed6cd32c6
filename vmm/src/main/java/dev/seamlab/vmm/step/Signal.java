// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.step;

import org.jspecify.annotations.Nullable;

/** A signal for the thread that is in an ioctl: it comes back early (EINTR). Any thread sends. */
public final class Signal {
    private boolean pending; // guarded by this
    private @Nullable Runnable kick; // guarded by this

    /** Sends it; once is enough. */
    public synchronized void send() {
        pending = true;
        if (kick != null) {
            kick.run();
        }
    }

    /** Whether it was sent, for those who look instead of being kicked. */
    synchronized boolean isPending() {
        return pending;
    }

    /** From now on, and at once where it was sent before, it gets somebody out. */
    synchronized void kicks(Runnable somebody) {
        kick = somebody;
        if (pending) {
            somebody.run();
        }
    }

    synchronized void kicksNobody() {
        kick = null;
    }
}
