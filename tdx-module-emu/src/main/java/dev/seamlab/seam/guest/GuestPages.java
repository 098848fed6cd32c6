// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.GuestMode.Access;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.SharedEpt;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.sept.SeptCursor;
import dev.seamlab.seam.sept.SeptEntry;
import dev.seamlab.seam.td.TdConfig;
import dev.seamlab.seam.td.Tdcs;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What the hardware finds behind guest physical addresses: private ones through the Secure EPT,
 * shared ones through the host's EPT. Takes no lock. One per logical CPU, used again for every
 * entry.
 */
final class GuestPages {
    /** Answer for an address without a translation that allows the access. */
    static final long NOT_FOUND = SharedEpt.NOT_MAPPED;

    /** Exit qualification of an EPT violation: bits 5:3 say what the entry allows. */
    private static final int ENTRY_RIGHTS_SHIFT = 3;

    private static final long RIGHTS = 0x7;

    private final SeptCursor sept = new SeptCursor();
    private @Nullable Tdcs tdcs;
    private @Nullable SharedEpt sharedEpt;

    /**
     * A vCPU of a TD enters. Mostly the same as the last time, so nothing is written then: see the
     * note on cards at the frame of a call.
     */
    @SuppressWarnings("ReferenceEquality") // one EPT per VM
    void enter(Tdcs td, SharedEpt ept) {
        if (tdcs != td) {
            tdcs = td;
        }
        if (sharedEpt != ept) {
            sharedEpt = ept;
        }
    }

    /** It left. */
    void leave() {
        sept.unlockIfHeld();
    }

    /** Where the last walk of the Secure EPT ended. */
    SeptCursor sept() {
        return sept;
    }

    /** Translates an address that is not reserved. */
    @Hpa
    long find(@Gpa long gpa, Access access) {
        return isShared(gpa) ? findShared(gpa, access) : findPrivate(gpa, access);
    }

    /** Whether a private address is a page that waits for the guest's ACCEPT. */
    boolean isPending(@Gpa long gpa) {
        sept.walk(tdcs().septRoot(), gpa, PageInfo.LEVEL_4K);
        long entry = sept.entry();
        return SeptEntry.is(entry, SeptEntryState.PENDING)
                || SeptEntry.is(entry, SeptEntryState.PENDING_EXPORTED_DIRTY);
    }

    /** Whether an address has the TD's shared bit. */
    boolean isShared(@Gpa long gpa) {
        return (gpa & config().sharedBit()) != 0;
    }

    /** Whether an address is wider than the TD's. */
    boolean isReserved(@Gpa long gpa) {
        return !config().isPrivate(gpa & ~config().sharedBit());
    }

    /** Exit qualification of an access that {@link #find} did not find: tried and allowed. */
    long attempt(@Gpa long gpa, Access access) {
        boolean walked = !isReserved(gpa) && !isShared(gpa);
        return walked ? right(access) | rightsOf(sept.entry()) : right(access);
    }

    /** Bits 5:3 of an exit qualification: what a leaf allows. */
    static long rightsOf(long entry) {
        return SeptEntry.isLeaf(entry) ? (entry & RIGHTS) << ENTRY_RIGHTS_SHIFT : 0;
    }

    static @Gpa long pageOf(@Gpa long gpa) {
        return Addresses.alignDown(gpa, Addresses.PAGE_SIZE);
    }

    static boolean staysInPage(@Gpa long gpa, int length) {
        return (gpa & (Addresses.PAGE_SIZE - 1)) + length <= Addresses.PAGE_SIZE;
    }

    private @Hpa long findPrivate(@Gpa long gpa, Access access) {
        sept.walk(tdcs().septRoot(), gpa, PageInfo.LEVEL_4K);
        long entry = sept.entry();
        if (!SeptEntry.isLeaf(entry) || (entry & right(access)) == 0) {
            return NOT_FOUND;
        }
        int level = sept.level();
        return SeptEntry.leafHpa(entry, level) | (gpa & (PageInfo.sizeOf(level) - 1));
    }

    private @Hpa long findShared(@Gpa long gpa, Access access) {
        SharedEpt ept = Objects.requireNonNull(sharedEpt);
        long page = ept.translate(pageOf(gpa) & ~config().sharedBit(), access);
        return page == SharedEpt.NOT_MAPPED ? NOT_FOUND : page | (gpa & (Addresses.PAGE_SIZE - 1));
    }

    /** An access as an entry's right and as an exit qualification: the bits are the same. */
    private static long right(Access access) {
        return switch (access) {
            case READ -> ExitReason.QUALIFICATION_READ;
            case WRITE -> ExitReason.QUALIFICATION_WRITE;
            case EXECUTE -> ExitReason.QUALIFICATION_FETCH;
        };
    }

    private Tdcs tdcs() {
        return Objects.requireNonNull(tdcs);
    }

    private TdConfig config() {
        return tdcs().config();
    }
}
