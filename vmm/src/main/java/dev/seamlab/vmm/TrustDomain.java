// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.kvm.KvmStats;

/** One trust domain of this host. Safe for any thread; actions on it go through {@link Vmm}. */
public interface TrustDomain {
    /** Its name. */
    String id();

    /** What it was asked to be. */
    TrustDomainSpec spec();

    /** Where it stands now. */
    TdState state();

    /** Everything about it at this moment, with a revision. */
    TdSnapshot snapshot();

    /** The host memory it holds. */
    TdMemory memory();

    /**
     * Makes those who follow it look again: something that others keep about it has changed.
     * Snapshots get a new revision.
     */
    void touch();

    /** KVM's counters of this TD. */
    KvmStats stats();

    /**
     * Subscribes to its snapshots.
     *
     * @param afterRevision only later ones; 0 starts with the present one
     */
    TdSubscription subscribe(long afterRevision);
}
