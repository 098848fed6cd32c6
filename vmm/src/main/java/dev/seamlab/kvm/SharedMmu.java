// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.GuestMode.Access;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.SharedEpt;

/** The EPT for shared addresses, which the CPU walks by itself. */
final class SharedMmu implements SharedEpt {
    private final Memslots slots;

    SharedMmu(Memslots slots) {
        this.slots = slots;
    }

    @Override
    public @Hpa long translate(@Gpa long gpa, Access access) {
        long gfn = Addresses.gfn(gpa);
        Memslot slot = slots.find(gfn);
        if (slot == null) {
            return NOT_MAPPED;
        }
        long pfn = slot.sharedMappings().get(slot.index(gfn));
        return pfn == PageTable512.NONE ? NOT_MAPPED : Addresses.hpa(pfn);
    }
}
