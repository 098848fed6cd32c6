// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.seam.StateProbe;
import dev.seamlab.seam.TestModule;
import dev.seamlab.seam.abi.Leaf;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whatever the registers hold, a status word of the leaf comes back and nothing is corrupted. */
class RandomProgramTest {
    private static final Set<Leaf> BRING_UP =
            EnumSet.of(
                    Leaf.SYS_INIT,
                    Leaf.SYS_LP_INIT,
                    Leaf.SYS_CONFIG,
                    Leaf.SYS_KEY_CONFIG,
                    Leaf.SYS_TDMR_INIT,
                    Leaf.SYS_SHUTDOWN);

    private static final int PROGRAMS = 8;
    private static final int STEPS = 40_000;
    private static final int BETWEEN_CHECKS = 2_000;

    @ParameterizedTest
    @CsvSource({"false, 5", "false, 40", "true, 5", "true, 40"})
    void randomCalls_anySeed_answerAStatusOfTheirLeafAndKeepEveryInvariant(
            boolean dynamic, int errorPercent) {
        Set<Leaf> succeeded = EnumSet.noneOf(Leaf.class);
        for (int seed = 0; seed < PROGRAMS; seed++) {
            TestModule module = dynamic ? TestModule.dynamicPamt() : TestModule.staticPamt();
            RandomProgram program =
                    new RandomProgram(module, 1000L * errorPercent + seed, errorPercent);
            StateProbe probe = RandomProgram.probe(module);
            for (int step = 0; step < STEPS; step++) {
                assertThat(program.step()).as("seed %d step %d", seed, step).isNull();
                if (step % BETWEEN_CHECKS == 0) {
                    assertThat(probe.violations()).as("seed %d step %d", seed, step).isEmpty();
                }
            }
            succeeded.addAll(program.succeeded());
        }
        // The programs are worth something only if they get everywhere.
        Set<Leaf> reachable = EnumSet.copyOf(AllowedStatuses.leaves());
        reachable.removeAll(BRING_UP);
        if (!dynamic) {
            reachable.removeAll(Set.of(Leaf.PHYMEM_PAMT_ADD, Leaf.PHYMEM_PAMT_REMOVE));
        }
        assertThat(succeeded).containsAll(reachable);
    }
}
