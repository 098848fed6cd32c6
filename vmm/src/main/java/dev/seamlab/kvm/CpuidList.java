// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import java.util.List;

/** A list of CPUID entries that user space made room for (struct kvm_cpuid2). */
public final class CpuidList {
    /** Most entries that KVM takes or gives. */
    public static final int MAX_ENTRIES = 256;

    private int nent;
    private List<CpuidEntry> entries = List.of();

    /**
     * @param room entries that fit
     */
    public CpuidList(int room) {
        this.nent = room;
    }

    /** Room before a call; afterwards the number of entries, also where there was no room. */
    public int nent() {
        return nent;
    }

    /** The entries, after a call that succeeded. */
    public List<CpuidEntry> entries() {
        return entries;
    }

    void needs(int count) {
        nent = count;
    }

    void fill(List<CpuidEntry> found) {
        nent = found.size();
        entries = List.copyOf(found);
    }
}
