// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

import dev.seamlab.machine.GuestMode.Access;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Operations flattened into arrays, with jumps for loops: what the runner walks through. */
final class Code {
    /** What an instruction does. */
    enum Kind {
        TOUCH,
        ACCEPT,
        USE,
        WALK,
        MAP_GPA,
        RTMR,
        REPORT,
        HALT,
        SPIN,
        LOOP,
        END_LOOP,
        FATAL,
        SHUTDOWN,
        END
    }

    /**
     * One instruction.
     *
     * @param a start address, or a number
     * @param b end address, or where to jump
     * @param flag shared, large, to shared
     * @param unit bytes that are accepted at once
     * @param walk what kind of walk, for WALK
     */
    record Insn(
            Kind kind,
            long a,
            long b,
            boolean flag,
            Access access,
            String text,
            long unit,
            Op.@Nullable Walk walk) {
        Insn(Kind kind, long a, long b, boolean flag, Access access, String text) {
            this(kind, a, b, flag, access, text, 0, null);
        }
    }

    private final List<Insn> insns = new ArrayList<>();
    private int depth;
    private int deepest;

    static Code of(List<Op> ops) {
        Code code = new Code();
        code.addAll(ops);
        code.add(Kind.END, 0, 0, false);
        return code;
    }

    Insn[] insns() {
        return insns.toArray(Insn[]::new);
    }

    /** Loops that can be open at once. */
    int depth() {
        return deepest;
    }

    private void addAll(List<Op> ops) {
        for (Op op : ops) {
            add(op);
        }
    }

    private void add(Op op) {
        switch (op) {
            case Op.Touch(var range, var access, var shared) ->
                    insns.add(new Insn(Kind.TOUCH, range.start(), range.end(), shared, access, ""));
            case Op.Accept(var range, var large) ->
                    add(Kind.ACCEPT, range.start(), range.end(), large);
            case Op.Use(var range, var unit) ->
                    insns.add(
                            new Insn(
                                    Kind.USE,
                                    range.start(),
                                    range.end(),
                                    true,
                                    Access.WRITE,
                                    "",
                                    unit,
                                    null));
            case Op.Walk walk ->
                    insns.add(
                            new Insn(
                                    Kind.WALK,
                                    walk.range().start(),
                                    walk.range().end(),
                                    false,
                                    Access.WRITE,
                                    "",
                                    0,
                                    walk));
            case Op.MapGpa(var range, var toShared) ->
                    add(Kind.MAP_GPA, range.start(), range.end(), toShared);
            case Op.RtmrExtend(var index, var text) ->
                    insns.add(new Insn(Kind.RTMR, index, 0, false, Access.READ, text));
            case Op.Report(var gpa) -> add(Kind.REPORT, gpa, 0, false);
            case Op.Halt() -> add(Kind.HALT, 0, 0, false);
            case Op.Spin(var steps) -> add(Kind.SPIN, 0, steps, false);
            case Op.Loop(var times, var body) -> addLoop(times, body);
            case Op.FatalError(var error, var message) ->
                    insns.add(new Insn(Kind.FATAL, error, 0, false, Access.READ, message));
            case Op.Shutdown() -> add(Kind.SHUTDOWN, 0, 0, false);
            case Op.OnVcpu(var vcpu, var body) ->
                    throw new IllegalArgumentException("operations of vCPU " + vcpu + " only");
        }
    }

    private void addLoop(long times, List<Op> body) {
        add(Kind.LOOP, times, 0, false);
        int start = insns.size();
        depth++;
        deepest = Math.max(deepest, depth);
        addAll(body);
        depth--;
        add(Kind.END_LOOP, 0, start, false);
    }

    private void add(Kind kind, long a, long b, boolean flag) {
        insns.add(new Insn(kind, a, b, flag, Access.WRITE, ""));
    }
}
