// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** What a thread of a program can do. */
public enum Verb {
    GET(Room.PAMT, true, "tdx_pamt_get of a page in range rN"),
    PUT(Room.PAMT, true, "tdx_pamt_put of a page in range rN"),
    ADD(Room.PAMT, true, "TDH.PHYMEM.PAMT.ADD of rN without any lock; 'from rM': pair pages in rM"),
    DEMOTE(Room.PAMT, true, "splits a TD's 2M page, once; the pair that DEMOTE takes lies in rN"),
    FAULT(Room.KVM, true, "KVM_PRE_FAULT_MEMORY of private page gN: top-up, MMU, get, AUG"),
    ACCEPT(Room.KVM, true, "the guest accepts gN: VP.ENTER, EPT violation, as fault, VP.ENTER"),
    ZAP(Room.KVM, true, "makes gN shared: BLOCK, TRACK, REMOVE, put"),
    SPLIT(Room.KVM, true, "as zap, of a gN that a 2M page covers at the start: DEMOTE comes first"),
    PRIVATE(Room.KVM, true, "makes gN private again"),
    RECLAIM(Room.KVM, true, "punches gN's page out of guest_memfd"),
    CREATE(Room.KVM, false, "KVM_CREATE_VCPU, then KVM_TDX_INIT_VCPU of the new vCPU"),
    FINALIZE(Room.KVM, false, "KVM_TDX_FINALIZE_VM, of a TD that is not finalised at the start"),
    TERMINATE(Room.KVM, false, "KVM_TDX_TERMINATE_VM: gives the KeyID back, the VM is dead"),
    TEARDOWN(Room.KVM, false, "destroys the TD; the other threads let it alone");

    /** Which production classes a verb drives. */
    public enum Room {
        /** get and put of the host, against the module. */
        PAMT,
        /** A TD of KVM. */
        KVM
    }

    private final Room room;
    private final boolean takesTarget;
    private final String meaning;

    Verb(Room room, boolean takesTarget, String meaning) {
        this.room = room;
        this.takesTarget = takesTarget;
        this.meaning = meaning;
    }

    /** Which production classes it drives. */
    public Room room() {
        return room;
    }

    /** Whether it is about a range or page. */
    public boolean takesTarget() {
        return takesTarget;
    }

    /** For help texts. */
    public String meaning() {
        return meaning;
    }

    /** As users write it. */
    public String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    static Verb byWord(String word) {
        for (Verb verb : values()) {
            if (verb.word().equals(word)) {
                return verb;
            }
        }
        throw new IllegalArgumentException(
                "no operation is called \""
                        + word
                        + "\"; there are "
                        + Arrays.stream(values())
                                .map(Verb::word)
                                .collect(Collectors.joining(", ")));
    }
}
