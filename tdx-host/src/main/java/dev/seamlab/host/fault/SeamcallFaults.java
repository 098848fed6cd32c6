// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.fault;

import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.Seam;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.seam.abi.Leaf;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * Makes chosen SEAMCALLs of a machine fail, as {@link dev.seamlab.host.mem.AllocationGate} does for
 * memory: "the third PAGE.REMOVE from now on answers BUSY", "the 417th call of any leaf answers
 * this". It stands between the instruction and the module; a refused call changes nothing but RAX,
 * as the module's own refusals do. Also counts calls, so that a sweep knows how many points a life
 * has.
 *
 * <p>Rules are asked in the order in which they were made; a call that one of them answers is not
 * seen by the next. Counting is exact over all CPUs, and rules may be added and taken away at any
 * time by any thread. One owner at a time on a machine; {@link #close} takes everything away again.
 */
public final class SeamcallFaults implements AutoCloseable {
    /** What happens instead of a call. */
    @FunctionalInterface
    public interface Answer {
        /**
         * Answers a call, by itself or by asking the module.
         *
         * @param module what would have been called
         * @return the status, which becomes RAX
         */
        long answer(Seam module, LogicalCpu cpu, Registers regs);
    }

    private static final int STRIDE = 16;
    private static final int ALL = Leaf.values().length;
    private static final int MATCHED = 16;

    private final Machine machine;
    private final long[] calls = new long[(ALL + 2) * STRIDE];
    private final List<Rule> rules = new CopyOnWriteArrayList<>();

    private SeamcallFaults(Machine machine) {
        this.machine = machine;
    }

    /** Steps in front of a machine's module; without rules every call goes through. */
    public static SeamcallFaults on(Machine machine) {
        SeamcallFaults faults = new SeamcallFaults(machine);
        machine.intercept(module -> (cpu, regs) -> faults.call(module, cpu, regs));
        return faults;
    }

    /** The next call of a leaf answers this status. */
    public Rule refuseNext(Leaf leaf, long status) {
        return refuse(leaf, 1, 1, status);
    }

    /**
     * Calls of a leaf answer a status instead of running.
     *
     * @param leaf the leaf, or null for any
     * @param nth the first call to refuse, counted from now, 1 for the next
     * @param times how many calls in a row; {@link Long#MAX_VALUE} for all
     */
    public Rule refuse(@Nullable Leaf leaf, long nth, long times, long status) {
        return replace(
                leaf,
                nth,
                times,
                (module, cpu, regs) -> {
                    regs.rax(status);
                    return status;
                });
    }

    /** Calls of a leaf are answered by somebody else; parameters as in {@link #refuse}. */
    public Rule replace(@Nullable Leaf leaf, long nth, long times, Answer answer) {
        if (nth < 1 || times < 1) {
            throw new IllegalArgumentException("call " + nth + ", " + times + " times");
        }
        Rule rule = new Rule(leaf, nth, times, answer);
        rules.add(rule);
        return rule;
    }

    /** Takes all rules away; counting goes on. */
    public void clear() {
        rules.clear();
    }

    /** Calls of a leaf so far, refused ones included. */
    public long calls(Leaf leaf) {
        return Cells.acquire(calls, at(leaf.ordinal()));
    }

    /** Calls of all leaves so far. */
    public long calls() {
        return Cells.acquire(calls, at(ALL));
    }

    @Override
    public void close() {
        machine.intercept(null);
    }

    private long call(Seam module, LogicalCpu cpu, Registers regs) {
        Leaf leaf = Leaf.of((int) regs.rax() & 0xFFFF);
        Cells.getAndAdd(calls, at(ALL), 1);
        if (leaf != null) {
            Cells.getAndAdd(calls, at(leaf.ordinal()), 1);
        }
        for (Rule rule : rules) {
            if (rule.strikes(leaf)) {
                return rule.answer.answer(module, cpu, regs);
            }
        }
        return module.call(cpu, regs);
    }

    private static int at(int counter) {
        return (counter + 1) * STRIDE;
    }

    /** One rule. */
    public static final class Rule {
        private final @Nullable Leaf leaf;
        private final long nth;
        private final long times;
        private final Answer answer;
        private final long[] words = new long[32];

        private Rule(@Nullable Leaf leaf, long nth, long times, Answer answer) {
            this.leaf = leaf;
            this.nth = nth;
            this.times = times;
            this.answer = answer;
        }

        private boolean strikes(@Nullable Leaf called) {
            if (leaf != null && leaf != called) {
                return false;
            }
            long number = Cells.getAndAdd(words, MATCHED, 1) + 1;
            return number >= nth && number - nth < times;
        }

        /** Calls that this rule has answered. */
        public long strikes() {
            long matched = Cells.acquire(words, MATCHED);
            return Math.max(0, Math.min(times, matched - nth + 1));
        }
    }
}
