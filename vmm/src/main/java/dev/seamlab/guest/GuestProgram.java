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
        List<Op> mine = new ArrayList<>();
        for (Op op : ops) {
            if (op instanceof Op.OnVcpu(int only, List<Op> body)) {
                if (only == vcpu) {
                    mine.addAll(body);
                }
            } else {
                mine.add(op);
            }
        }
        return mine;
    }
}
