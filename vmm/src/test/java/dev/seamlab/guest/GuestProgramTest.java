// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.guest.GuestMemory.Range;
import java.util.List;
import org.junit.jupiter.api.Test;

class GuestProgramTest {
    private static final GuestMemory MEMORY =
            new GuestMemory(List.of(new Range(0x100_0000, 0x200_0000)), 47, 0x1000);

    private static List<Op> of(String text, int vcpu) {
        List<Op> ops = Workload.parse(text).compile(MEMORY, vcpu, 2);
        // What is compiled can be run.
        new ProgramRunner(ops, MEMORY, vcpu);
        return ops;
    }

    @Test
    void onlyOn_insideALoop_isInTheRoundsOfThatVcpuAlone() {
        String text = "loop 3 { spin 5; @1 { halt } }";
        assertThat(of(text, 0)).containsExactly(new Op.Loop(3, List.of(new Op.Spin(5))));
        assertThat(of(text, 1))
                .containsExactly(new Op.Loop(3, List.of(new Op.Spin(5), new Op.Halt())));
    }

    @Test
    void loop_withNothingForAVcpu_isNoneToIt() {
        String text = "loop 3 { @1 { loop 2 { @1 { halt }; @0 { spin 5 } } } }; shutdown";
        assertThat(of(text, 0)).containsExactly(new Op.Shutdown());
        assertThat(of(text, 1))
                .containsExactly(
                        new Op.Loop(3, List.of(new Op.Loop(2, List.of(new Op.Halt())))),
                        new Op.Shutdown());
    }

    @Test
    void onlyOn_insideOnlyOn_needsBoth() {
        assertThat(of("@0 { spin 5; @1 { halt } }", 0)).containsExactly(new Op.Spin(5));
        assertThat(of("@0 { spin 5; @1 { halt } }", 1)).isEmpty();
        assertThat(of("@1 { @1 { halt } }", 1)).containsExactly(new Op.Halt());
    }
}
