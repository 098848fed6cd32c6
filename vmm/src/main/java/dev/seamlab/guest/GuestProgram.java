// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

import java.util.ArrayList;
import java.util.List;

/**
 * An explicit program. Every vCPU executes all of it, except what stands under {@code @N:}. A vCPU
 * that comes to the end halts for good.
 *
 * @param text where it was read from
 * @param ops what is executed, in order
 */
public record GuestProgram(String text, List<Op> ops) implements Workload {
    public GuestProgram {
        ops = List.copyOf(ops);
    }

    @Override
    public List<Op> compile(GuestMemory memory, int vcpu, int vcpus) {
        return of(vcpu, ops);
    }

    /** What a vCPU executes of some operations. A loop without any of its own is none to it. */
    private static List<Op> of(int vcpu, List<Op> ops) {
        List<Op> mine = new ArrayList<>();
        for (Op op : ops) {
            switch (op) {
                case Op.OnVcpu(int only, List<Op> body) -> {
                    if (only == vcpu) {
                        mine.addAll(of(vcpu, body));
                    }
                }
                case Op.Loop(long times, List<Op> body) -> {
                    List<Op> round = of(vcpu, body);
                    if (!round.isEmpty()) {
                        mine.add(new Op.Loop(times, round));
                    }
                }
                default -> mine.add(op);
            }
        }
        return mine;
    }
}
