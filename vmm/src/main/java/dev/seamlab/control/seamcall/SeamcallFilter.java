// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import dev.seamlab.control.call.Rejection;
import dev.seamlab.explain.LeafGuide;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.v1.WatchSeamcallsRequest;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Which SEAMCALLs somebody wants to see. Asking it allocates nothing. */
final class SeamcallFilter {
    private static final int NUMBERS = 256;

    // By number; null means all.
    private final boolean @Nullable [] leaves;
    private final boolean @Nullable [] classes;
    private final boolean errorsOnly;
    private final long tdr;

    private SeamcallFilter(
            boolean @Nullable [] leaves,
            boolean @Nullable [] classes,
            boolean errorsOnly,
            long tdr) {
        this.leaves = leaves;
        this.classes = classes;
        this.errorsOnly = errorsOnly;
        this.tdr = tdr;
    }

    /**
     * @throws Rejection naming a leaf that does not exist
     */
    static SeamcallFilter of(WatchSeamcallsRequest request) {
        return new SeamcallFilter(
                leaves(request.getLeavesList()),
                classes(request.getStatusClassesList()),
                request.getErrorsOnly(),
                request.getTdrHpa());
    }

    private static boolean @Nullable [] leaves(List<String> names) {
        if (names.isEmpty()) {
            return null;
        }
        boolean[] wanted = new boolean[NUMBERS];
        for (int i = 0; i < names.size(); i++) {
            wanted[RawCalls.leaf("leaves[" + i + "]", names.get(i)).number()] = true;
        }
        return wanted;
    }

    private static boolean @Nullable [] classes(List<Integer> numbers) {
        if (numbers.isEmpty()) {
            return null;
        }
        boolean[] wanted = new boolean[NUMBERS];
        numbers.forEach(number -> wanted[number] = true);
        return wanted;
    }

    /**
     * Whether to show a call.
     *
     * @param in registers on the way in
     */
    boolean shows(Registers in, long status) {
        int number = (int) in.rax() & 0xFFFF;
        if (leaves != null && (number >= NUMBERS || !leaves[number])) {
            return false;
        }
        if (errorsOnly && !Status.isError(status)) {
            return false;
        }
        if (classes != null && !classes[Status.statusClass(status)]) {
            return false;
        }
        return tdr == 0 || tdrOf(number, in) == tdr;
    }

    /** The TDR that a call names, without the flags and KeyID bits beside it; 0 where none. */
    static long tdrOf(int number, Registers in) {
        @Nullable Leaf leaf = Leaf.of(number);
        int register = leaf == null ? LeafGuide.NO_TDR : LeafGuide.get().tdrRegister(leaf);
        return register == LeafGuide.NO_TDR ? 0 : in.get(register) & 0x000F_FFFF_FFFF_F000L;
    }
}
