// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sys;

import static dev.seamlab.seam.abi.StatusCode.INVALID_PAMT;
import static dev.seamlab.seam.abi.StatusCode.INVALID_RESERVED_IN_TDMR;
import static dev.seamlab.seam.abi.StatusCode.INVALID_TDMR;
import static dev.seamlab.seam.abi.StatusCode.NON_ORDERED_RESERVED_IN_TDMR;
import static dev.seamlab.seam.abi.StatusCode.NON_ORDERED_TDMR;
import static dev.seamlab.seam.abi.StatusCode.PAMT_OUTSIDE_CMRS;
import static dev.seamlab.seam.abi.StatusCode.PAMT_OVERLAP;
import static dev.seamlab.seam.abi.StatusCode.TDMR_OUTSIDE_CMRS;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.TdmrInfo;
import dev.seamlab.seam.core.AddressRules;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * What SYS.CONFIG demands of each TDMR in turn, given those before it (facts: module ABI section
 * 4.3, in that order).
 */
final class TdmrRules {
    private static final int[] WIDE_TO_NARROW = {
        PageInfo.LEVEL_1G, PageInfo.LEVEL_2M, PageInfo.LEVEL_4K
    };

    private final AddressRules addresses;
    private final List<AddressRange> cmrs;
    private final int entrySize;
    private final int maxReserved;
    private final boolean dynamic;
    private final List<TdmrDescription> accepted = new ArrayList<>();

    TdmrRules(MachineProfile profile, AddressRules addresses, boolean dynamic) {
        this.addresses = addresses;
        this.cmrs = merged(profile.cmrs());
        this.entrySize = profile.module().pamtEntrySize();
        this.maxReserved = profile.module().maxReservedPerTdmr();
        this.dynamic = dynamic;
    }

    /** TDMRs accepted so far. */
    List<TdmrDescription> accepted() {
        return accepted;
    }

    /** Judges the next TDMR, and accepts it if nothing is wrong. */
    long check(TdmrDescription tdmr) {
        accepted.add(tdmr);
        long status = checkRange(tdmr);
        if (status == Status.SUCCESS) {
            status = checkReserved(tdmr);
        }
        if (status == Status.SUCCESS) {
            status = checkPamt(tdmr);
        }
        if (status == Status.SUCCESS && !tdmr.allAvailable(this::insideCmrs)) {
            status = TDMR_OUTSIDE_CMRS.withDetail(index());
        }
        return status;
    }

    private long checkRange(TdmrDescription tdmr) {
        if (wraps(tdmr.base, tdmr.size)) {
            return INVALID_TDMR.withDetail(index());
        }
        if (index() > 0) {
            TdmrDescription previous = accepted.get(index() - 1);
            if (Long.compareUnsigned(tdmr.base, previous.end()) < 0) {
                return NON_ORDERED_TDMR.withDetail(index());
            }
        }
        boolean fits =
                addresses.isPrivatePage(tdmr.base, Addresses.GIB)
                        && Addresses.isAligned(tdmr.size, Addresses.GIB)
                        && tdmr.size != 0
                        && (tdmr.end() - 1) >>> addresses.addressBits() == 0;
        return fits ? Status.SUCCESS : INVALID_TDMR.withDetail(index());
    }

    private long checkReserved(TdmrDescription tdmr) {
        for (int j = 0; j < TdmrInfo.RESERVED_AREAS; j++) {
            long offset = tdmr.reservedOffset[j];
            long size = tdmr.reservedSize[j];
            int detail = index() | j << 8;
            if (size == 0) {
                if (j + 1 < TdmrInfo.RESERVED_AREAS && tdmr.reservedSize[j + 1] != 0) {
                    return NON_ORDERED_RESERVED_IN_TDMR.withDetail(detail);
                }
                continue;
            }
            if (j >= maxReserved || wraps(offset, size)) {
                return INVALID_RESERVED_IN_TDMR.withDetail(detail);
            }
            if (j > 0) {
                long before = tdmr.reservedOffset[j - 1] + tdmr.reservedSize[j - 1];
                if (Long.compareUnsigned(offset, before) < 0) {
                    return NON_ORDERED_RESERVED_IN_TDMR.withDetail(detail);
                }
            }
            boolean inside =
                    Addresses.isAligned(offset, Addresses.PAGE_SIZE)
                            && Addresses.isAligned(size, Addresses.PAGE_SIZE)
                            && Long.compareUnsigned(offset + size, tdmr.size) <= 0;
            if (!inside) {
                return INVALID_RESERVED_IN_TDMR.withDetail(detail);
            }
        }
        return Status.SUCCESS;
    }

    private long checkPamt(TdmrDescription tdmr) {
        for (int level : WIDE_TO_NARROW) {
            if (!isPamtAreaValid(tdmr, level)) {
                return INVALID_PAMT.withDetail(index() | level << 8);
            }
        }
        long status = checkPamtOverlaps(tdmr);
        if (status == Status.SUCCESS) {
            status = checkPamtAgainstAvailable(tdmr);
        }
        if (status != Status.SUCCESS) {
            return status;
        }
        for (int level : WIDE_TO_NARROW) {
            if (!insideCmrs(tdmr.pamtBase[level], tdmr.pamtEnd(level))) {
                return PAMT_OUTSIDE_CMRS.withDetail(index() | level << 8);
            }
        }
        return Status.SUCCESS;
    }

    private boolean isPamtAreaValid(TdmrDescription tdmr, int level) {
        long base = tdmr.pamtBase[level];
        long size = tdmr.pamtSize[level];
        long pages = tdmr.size >>> PageInfo.shiftOf(level);
        long needed = pages * entrySize;
        if (dynamic && level == PageInfo.LEVEL_4K) {
            needed = pages / Byte.SIZE;
        }
        return !wraps(base, size)
                && addresses.isPrivatePage(base, Addresses.PAGE_SIZE)
                && Addresses.isAligned(size, Addresses.PAGE_SIZE)
                && Long.compareUnsigned(size, needed) >= 0
                && (base + size - 1) >>> addresses.addressBits() == 0;
    }

    /** No PAMT area may meet another one, of an earlier TDMR or of its own. */
    private long checkPamtOverlaps(TdmrDescription tdmr) {
        for (int j = 0; j < index(); j++) {
            TdmrDescription other = accepted.get(j);
            for (int level = 0; level < TdmrDescription.LEVELS; level++) {
                for (int theirs = 0; theirs < TdmrDescription.LEVELS; theirs++) {
                    if (pamtOverlap(tdmr, level, other, theirs)) {
                        return overlap(index(), level, j);
                    }
                }
            }
        }
        for (int level = 0; level < TdmrDescription.LEVELS; level++) {
            for (int other = level + 1; other < TdmrDescription.LEVELS; other++) {
                if (pamtOverlap(tdmr, level, tdmr, other)) {
                    return overlap(index(), level, index());
                }
            }
        }
        return Status.SUCCESS;
    }

    /** No PAMT area may lie in memory that a TDMR offers, earlier or later. */
    private long checkPamtAgainstAvailable(TdmrDescription tdmr) {
        for (int j = 0; j <= index(); j++) {
            TdmrDescription other = accepted.get(j);
            for (int level = 0; level < TdmrDescription.LEVELS; level++) {
                if (offersPamtOf(other, tdmr, level)) {
                    return overlap(index(), level, j);
                }
            }
            if (j < index()) {
                for (int level = 0; level < TdmrDescription.LEVELS; level++) {
                    if (offersPamtOf(tdmr, other, level)) {
                        return overlap(j, level, index());
                    }
                }
            }
        }
        return Status.SUCCESS;
    }

    private static boolean offersPamtOf(TdmrDescription offering, TdmrDescription of, int level) {
        @Hpa long start = of.pamtBase[level];
        @Hpa long end = of.pamtEnd(level);
        return !offering.allAvailable((from, to) -> end <= from || to <= start);
    }

    private static boolean pamtOverlap(TdmrDescription a, int i, TdmrDescription b, int j) {
        return a.pamtBase[i] < b.pamtEnd(j) && b.pamtBase[j] < a.pamtEnd(i);
    }

    private static long overlap(int tdmr, int level, int other) {
        return PAMT_OVERLAP.withDetail(tdmr | level << 8 | other << 16);
    }

    private boolean insideCmrs(@Hpa long start, @Hpa long end) {
        for (AddressRange cmr : cmrs) {
            if (start >= cmr.start() && end <= cmr.end()) {
                return true;
            }
        }
        return false;
    }

    private int index() {
        return accepted.size() - 1;
    }

    private static boolean wraps(long start, long size) {
        return Long.compareUnsigned(start + size, start) < 0;
    }

    /** CMRs that touch count as one. */
    private static List<AddressRange> merged(List<AddressRange> ranges) {
        List<AddressRange> sorted = new ArrayList<>(ranges);
        sorted.sort(Comparator.comparingLong(AddressRange::start));
        List<AddressRange> result = new ArrayList<>();
        for (AddressRange range : sorted) {
            int last = result.size() - 1;
            if (last >= 0 && result.get(last).end() == range.start()) {
                result.set(last, new AddressRange(result.get(last).start(), range.end()));
            } else {
                result.add(range);
            }
        }
        return result;
    }
}
