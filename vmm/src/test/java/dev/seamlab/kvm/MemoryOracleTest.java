// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static dev.seamlab.kvm.MemoryOracle.UNIT;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.Preset;
import dev.seamlab.kvm.KvmStats.Counter;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.lifecycle.AfterProperty;

/**
 * Whatever user space does to the memory of a TD, and its guest in between: slots, attributes,
 * files, pre-faults, accesses, 2M pages. After each step every page is mapped as {@link
 * MemoryOracle} says, private or shared, and holds what was written to it last.
 */
class MemoryOracleTest {
    private static final int UNITS = 4;
    private static final int PAGES = UNITS * UNIT;

    /** What the steps came to, over all programs. */
    private static final Map<String, Integer> MET = new TreeMap<>();

    // One seed: which answers the programs meet, see below, must not be left to chance.
    @Property(tries = 60, edgeCases = EdgeCasesMode.NONE, seed = "20261121")
    void anyProgram_everyPageIsWhereAndWhatItShouldBe(
            @ForAll Preset preset,
            @ForAll boolean large,
            @ForAll("starts") List<MemoryOp> start,
            @ForAll("programs") List<MemoryOp> program) {
        try (MemoryRun run = new MemoryRun(preset, large, PAGES, MET)) {
            start.forEach(run::step);
            for (MemoryOp op : program) {
                run.step(op);
                run.check();
            }
            run.checkContents();
            assertThat(run.vm.isDead()).isFalse();
            assertThat(run.vm.stats().get(Counter.LEAKED_PAGES)).isZero();
        }
    }

    /** The programs are worth something only if they get everywhere. */
    @AfterProperty
    void programsGotEverywhere() {
        assertThat(MET)
                .containsKeys(
                        "set slot OK",
                        "set slot EEXIST",
                        "set slot EINVAL",
                        "delete slot OK",
                        "delete slot EINVAL",
                        "punch file OK",
                        "allocate file OK",
                        "pre-fault OK",
                        "pre-fault ENOENT",
                        "pre-fault EFAULT",
                        "memory fault",
                        "accept",
                        "accept again",
                        "accept 2M",
                        "accept 2M again",
                        "accept 2M over a table",
                        "accept 2M refused",
                        "access private",
                        "access shared",
                        "collapse OK",
                        "collapse EAGAIN",
                        "collapse EINVAL");
    }

    // ------------------------------------------------------------------ programs

    /**
     * No memory at all; all of it in one slot; in two halves, with 2M leaves; a leaf that was split
     * and is whole again; contiguous pages of the file under two slots. All of it private.
     */
    @Provide
    Arbitrary<List<MemoryOp>> starts() {
        MemoryOp all = new MemoryOp.SetAttributes(0, PAGES, true);
        MemoryOp one = new MemoryOp.SetSlot(0, 0, PAGES, 0, 0);
        return Arbitraries.of(
                List.of(),
                List.of(one, all),
                List.of(
                        new MemoryOp.SetSlot(0, 0, PAGES / 2, 0, 0),
                        new MemoryOp.SetSlot(1, PAGES / 2, PAGES / 2, 0, PAGES / 2),
                        all,
                        new MemoryOp.AcceptLarge(0),
                        new MemoryOp.AcceptLarge(2)),
                List.of(
                        one,
                        all,
                        new MemoryOp.AcceptLarge(1),
                        new MemoryOp.Access(UNIT + 2, true, 5),
                        new MemoryOp.SetAttributes(UNIT + 1, 1, false),
                        new MemoryOp.SetAttributes(UNIT + 1, 1, true),
                        new MemoryOp.Collapse(1),
                        new MemoryOp.PreFault(UNIT + 1, 1),
                        new MemoryOp.Collapse(1),
                        new MemoryOp.Accept(UNIT + 1, 1),
                        new MemoryOp.Collapse(1)),
                List.of(
                        one,
                        all,
                        new MemoryOp.AcceptLarge(0),
                        new MemoryOp.DeleteSlot(0),
                        new MemoryOp.SetSlot(0, 0, UNIT / 2, 0, 0),
                        new MemoryOp.SetSlot(1, UNIT / 2, UNIT, 0, UNIT / 2),
                        new MemoryOp.Accept(0, UNIT),
                        new MemoryOp.Collapse(0)));
    }

    @Provide
    Arbitrary<List<MemoryOp>> programs() {
        Arbitrary<Integer> id = Arbitraries.integers().between(0, 3);
        Arbitrary<Integer> file = Arbitraries.integers().between(0, 1);
        Arbitrary<Integer> unit = Arbitraries.integers().between(0, UNITS - 1);
        Arbitrary<Boolean> privately = Arbitraries.of(true, false);
        Arbitrary<Long> value = Arbitraries.longs();
        // Borders of units and their neighbours; whole units now and then.
        Arbitrary<Integer> page =
                Combinators.combine(unit, Arbitraries.of(0, 0, 1, 2, 255, 256, 510, 511))
                        .as((u, i) -> u * UNIT + i);
        Arbitrary<Integer> few = Arbitraries.of(1, 1, 2, 3, 5);
        Arbitrary<Integer> many = Arbitraries.of(1, 2, 256, UNIT, UNIT, UNIT + 1, 2 * UNIT, PAGES);
        Arbitrary<MemoryOp> setSlot =
                Combinators.combine(id, page, many, Arbitraries.integers().between(-1, 1), page)
                        .as(MemoryOp.SetSlot::new);
        Arbitrary<MemoryOp> attributes =
                Combinators.combine(page, Arbitraries.oneOf(few, many), privately)
                        .as(MemoryOp.SetAttributes::new);
        Arbitrary<MemoryOp> punch =
                Combinators.combine(page, Arbitraries.oneOf(few, many), privately)
                        .as(MemoryOp.Punch::new);
        Arbitrary<MemoryOp> fallocate =
                Combinators.combine(file, page, Arbitraries.oneOf(few, many), privately)
                        .as(MemoryOp.Fallocate::new);
        Arbitrary<MemoryOp> preFault =
                Combinators.combine(page, Arbitraries.of(1, 2, 5, UNIT)).as(MemoryOp.PreFault::new);
        Arbitrary<MemoryOp> accept =
                Combinators.combine(page, Arbitraries.of(1, 1, 2, 5, UNIT))
                        .as(MemoryOp.Accept::new);
        Arbitrary<MemoryOp> access =
                Combinators.combine(page, privately, value).as(MemoryOp.Access::new);
        Arbitrary<MemoryOp> userWrites =
                Combinators.combine(page, value).as(MemoryOp.UserWrites::new);
        return Arbitraries.oneOf(
                        List.of(
                                setSlot,
                                id.map(MemoryOp.DeleteSlot::new),
                                attributes,
                                attributes,
                                punch,
                                fallocate,
                                preFault,
                                accept,
                                accept,
                                unit.map(MemoryOp.AcceptLarge::new),
                                access,
                                access,
                                userWrites,
                                unit.map(MemoryOp.Collapse::new)))
                .list()
                .ofMinSize(20)
                .ofMaxSize(80);
    }
}
