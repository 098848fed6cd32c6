// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.Seam;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import java.util.List;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/** Stands between host and module: tells of each SEAMCALL, and refuses those that it has to. */
final class Calls implements Seam {
    private static final int LEAF_MASK = 0xFFFF;

    private final Seam module;
    private final List<RefusedCall> refused;
    private final LongFunction<String> place;
    private final int[] counts;
    private Narration notes = Narration.NONE;
    private boolean armed;

    /**
     * @param place name of a host physical address, for people
     */
    Calls(Seam module, List<RefusedCall> refused, LongFunction<String> place) {
        this.module = module;
        this.refused = refused;
        this.place = place;
        this.counts = new int[refused.size()];
    }

    /** A schedule begins. */
    void arm(Narration narration) {
        notes = narration;
        armed = true;
        java.util.Arrays.fill(counts, 0);
    }

    /** Between schedules nothing is told and nothing refused. */
    void disarm() {
        armed = false;
    }

    @Override
    public long call(LogicalCpu cpu, Registers regs) {
        if (!armed) {
            return module.call(cpu, regs);
        }
        @Nullable Leaf leaf = Leaf.of((int) regs.rax() & LEAF_MASK);
        if (!notes.isSilent()) {
            notes.call(describe(leaf, regs));
        }
        long status = refusal(leaf);
        if (status == Status.SUCCESS) {
            status = module.call(cpu, regs);
        } else {
            regs.rax(status);
        }
        if (!notes.isSilent()) {
            notes.answer(status == Status.SUCCESS ? "SUCCESS" : Status.show(status));
        }
        return status;
    }

    private long refusal(@Nullable Leaf leaf) {
        long status = Status.SUCCESS;
        for (int i = 0; i < counts.length; i++) {
            RefusedCall refusal = refused.get(i);
            // Which call is the n-th depends on the order, so counting is a step that others see.
            if (refusal.leaf() == leaf && Cells.getAndAdd(counts, i, 1) + 1 == refusal.nth()) {
                status = refusal.status();
            }
        }
        return status;
    }

    private String describe(@Nullable Leaf leaf, Registers regs) {
        if (leaf == null) {
            return "an unknown leaf";
        }
        String name = leaf.abiName();
        return switch (leaf) {
            case PHYMEM_PAMT_ADD, PHYMEM_PAMT_REMOVE, PHYMEM_PAGE_RECLAIM ->
                    name.substring("TDH.PHYMEM.".length()) + " " + place.apply(regs.rcx());
            case MEM_PAGE_AUG, MEM_SEPT_ADD, MEM_PAGE_ADD ->
                    name.substring("TDH.".length()) + " " + place.apply(regs.r8());
            case MEM_PAGE_DEMOTE ->
                    name.substring("TDH.".length()) + ", pair in " + place.apply(regs.r12());
            default -> name.substring("TDH.".length());
        };
    }
}
