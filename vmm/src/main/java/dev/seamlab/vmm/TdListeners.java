// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.machine.Hpa;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** All who listen, as one. */
final class TdListeners implements TdListener {
    private final List<TdListener> all = new CopyOnWriteArrayList<>();

    void add(TdListener listener) {
        all.add(listener);
    }

    @Override
    public void changed(TdSnapshot now) {
        all.forEach(listener -> listener.changed(now));
    }

    @Override
    public void gone(TdSnapshot last) {
        all.forEach(listener -> listener.gone(last));
    }

    @Override
    public void leaked(String id, @Hpa long page) {
        all.forEach(listener -> listener.leaked(id, page));
    }
}
