// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.litmus;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE_INTERESTING;

import dev.seamlab.machine.sched.Cells;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * Whether this machine and these runs show a store that passes a later load: the same crossing as
 * in {@link SlotRwLockLitmus} and {@link ReaderSlotLitmus}, without their fence.
 */
@JCStressTest
@Outcome(
        id = {"0, 1", "1, 0", "1, 1"},
        expect = ACCEPTABLE,
        desc = "one saw the other")
@Outcome(id = "0, 0", expect = ACCEPTABLE_INTERESTING, desc = "neither saw the other")
@State
public class ControlLitmus {
    private static final int MINE = 16;
    private static final int YOURS = 48;

    private final int[] words = new int[64];

    @Actor
    public void one(II_Result r) {
        Cells.release(words, MINE, 1);
        r.r1 = Cells.acquire(words, YOURS);
    }

    @Actor
    public void other(II_Result r) {
        Cells.release(words, YOURS, 1);
        r.r2 = Cells.acquire(words, MINE);
    }
}
