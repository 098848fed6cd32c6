// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.machine.Hpa;

/**
 * Told of what happens to trust domains, in the order in which it happens to each of them. Called
 * under locks, those of the fault path among them: whoever listens must not wait, nor call back.
 */
public interface TdListener {
    /** A trust domain has changed its state; also the first one, CREATING. */
    void changed(TdSnapshot now);

    /** A trust domain is gone and its name is free, or nearly so. */
    void gone(TdSnapshot last);

    /** A page of a trust domain was given up on purpose, because the module may still own it. */
    void leaked(String id, @Hpa long page);
}
