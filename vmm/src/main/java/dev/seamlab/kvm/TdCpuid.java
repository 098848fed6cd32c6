// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.kernel.Errno;
import java.util.ArrayList;
import java.util.List;

/**
 * KVM_TDX_GET_CPUID: the leaves that the guest sees, read from the TD's metadata leaf by leaf. A
 * leaf is first read without a subleaf, then subleaf by subleaf until one cannot be read.
 */
final class TdCpuid {
    /**
     * CPUID_VALUES; the leaf is in bits 16 and 15:9, the subleaf in bits 8:1, the half in bit 0.
     */
    private static final long FIELD = 0x9410_0003_0000_0000L;

    private static final int LEAF_HIGH_SHIFT = 16;
    private static final int LEAF_SHIFT = 9;
    private static final int SUBLEAF_SHIFT = 1;
    private static final int LOW_BITS = 0x7F;
    private static final int NO_SUBLEAF = 0xFF;
    private static final int UNREADABLE_LEAF = 0x7FFF_FF80;
    private static final int EXTENDED = 0x8000_0000;

    private final KvmTdx vm;
    private final List<CpuidEntry> found = new ArrayList<>();

    private TdCpuid(KvmTdx vm) {
        this.vm = vm;
    }

    static int get(KvmTdx vm, TdxCmd cmd) {
        CpuidList out = cmd.data(CpuidList.class);
        if (out == null) {
            return Errno.EFAULT;
        }
        TdCpuid reader = new TdCpuid(vm);
        if (!reader.readRange(0) || !reader.readRange(EXTENDED)) {
            return Errno.EIO;
        }
        if (out.nent() < reader.found.size()) {
            out.needs(reader.found.size());
            return Errno.E2BIG;
        }
        out.fill(reader.found);
        return Errno.OK;
    }

    /** The first leaf of a range tells the last one. */
    private boolean readRange(int first) {
        int at = found.size();
        if (readLeaf(first) != Errno.OK) {
            return false;
        }
        int last = found.get(at).eax();
        for (int leaf = first + 1; Integer.compareUnsigned(leaf, last) <= 0; leaf++) {
            var _ = readLeaf(leaf); // many leaves are not there
        }
        return true;
    }

    private int readLeaf(int leaf) {
        if ((leaf & UNREADABLE_LEAF) != 0 || found.size() >= CpuidList.MAX_ENTRIES) {
            return Errno.EINVAL;
        }
        if (read(leaf, NO_SUBLEAF)) {
            return Errno.OK;
        }
        int subleaf = 0;
        while (subleaf <= LOW_BITS && found.size() < CpuidList.MAX_ENTRIES && read(leaf, subleaf)) {
            subleaf++;
        }
        return subleaf > 0 ? Errno.OK : Errno.EIO;
    }

    private boolean read(int leaf, int subleaf) {
        long field =
                FIELD
                        | (long) (leaf >>> 31) << LEAF_HIGH_SHIFT
                        | (long) (leaf & LOW_BITS) << LEAF_SHIFT
                        | (long) subleaf << SUBLEAF_SHIFT;
        long[] halves = vm.readFields(field, 2);
        if (halves.length != 2) {
            return false;
        }
        boolean indexed = subleaf != NO_SUBLEAF;
        CpuidEntry entry =
                new CpuidEntry(
                        leaf,
                        indexed ? subleaf : 0,
                        indexed,
                        (int) halves[0],
                        (int) (halves[0] >>> 32),
                        (int) halves[1],
                        (int) (halves[1] >>> 32));
        // Modules do not tell the width there, so KVM puts in what it knows.
        found.add(
                leaf == CpuidEntry.ADDRESS_SIZES
                        ? entry.withGuestPhysicalBits(vm.config().gpaWidth())
                        : entry);
        return true;
    }
}
