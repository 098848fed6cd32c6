// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

import java.util.List;

/**
 * What a TD's guest is to do: an explicit {@link GuestProgram}, or a built-in that is scaled to the
 * TD's memory and vCPUs.
 */
public sealed interface Workload permits GuestProgram, Builtin {
    /** The operations of one vCPU of a TD with this memory. */
    List<Op> compile(GuestMemory memory, int vcpu, int vcpus);

    /** The text that {@link #parse} turns into this workload. */
    String text();

    /**
     * Reads a workload: the name of a built-in with parameters ({@code boot-lazy}, {@code
     * convert-storm rounds=10}) or a program ({@code accept 0x1000000..0x2000000; halt}).
     *
     * @throws InvalidProgramException naming position, problem and fix
     */
    static Workload parse(String text) {
        return ProgramParser.parse(text);
    }
}
