// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.OpState;
import dev.seamlab.seam.abi.SeptEntryState;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.sept.SeptRules;
import dev.seamlab.seam.td.OpStateRules;
import dev.seamlab.seam.td.Tdcs;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * The two matrices of the module, cell by cell against tables typed in from the facts (module ABI
 * sections 7.2 and 8.3).
 */
class MatrixTest {
    /** Numbers of the operation states in which a leaf may run. */
    private static final String OP_STATES =
            """
            MNG_ADDCX 0
            MNG_INIT 0
            MEM_PAGE_ADD 1
            MR_EXTEND 1
            MR_FINALIZE 1
            VP_INIT 1
            MEM_TRACK 1 2 3 4 5 6 7 8 9
            MNG_RD 1 2 3 4 5 6 7 8 9 10
            MEM_RD 1 2 3 4 5 6 7 8 9 10
            MEM_SEPT_RD 1 2 3 4 5 6 7 8 9 10
            VP_RD 1 2 3 4 5 6 7 8 9 10
            MEM_SEPT_REMOVE 1 2 3 4 5 6 7 8 9 10
            MEM_PAGE_RELOCATE 1 2 3 4 5 8 9
            MEM_RANGE_BLOCK 1 2 3 4 5 8 9
            MEM_PAGE_DEMOTE 1 2 3 4 5 8 9
            MEM_PAGE_PROMOTE 1 2 3 4 5 8 9
            MEM_RANGE_UNBLOCK 1 2 3 4 5 8 9
            MEM_PAGE_REMOVE 1 2 3 4 5 8 9 10
            MEM_SEPT_ADD 1 2 3 6 7 8 9
            MNG_WR 1 2 3 6 7 8 9 10
            MEM_WR 1 2 3 6 7 8 9 10
            VP_WR 1 2 3 6 7 8 9 10
            MEM_PAGE_AUG 1 2 3 9
            VP_ADDCX 1 7
            VP_CREATE 1 7
            VP_ENTER 2 3 9
            VP_FLUSH 0 1 2 3 4 5 6 7 8 9 10 11
            """;

    private static final String[] SEPT_COLUMNS = {
        "MEM_PAGE_ADD",
        "MEM_SEPT_ADD",
        "MEM_PAGE_AUG",
        "MEM_RANGE_BLOCK",
        "MEM_RANGE_UNBLOCK",
        "MEM_PAGE_REMOVE",
        "MEM_SEPT_REMOVE",
        "MEM_PAGE_DEMOTE",
        "MEM_PAGE_PROMOTE",
        "MEM_PAGE_RELOCATE",
        "MR_EXTEND"
    };

    /**
     * The sheet's columns in its order, without the guest's ACCEPT; then whether tracking counts.
     */
    private static final String SEPT_STATES =
            """
            FREE                            x x x . . . . . . . . .
            REMOVED                         . . x . . . . . . . . .
            NL_MAPPED                       . x . x . . x . x . . y
            NL_BLOCKED                      . . . . x . x . x . . y
            MAPPED                          . . . x . x . x . x x y
            BLOCKED                         . . . . x x . x . x . y
            BLOCKEDW                        . . . x . x . . . x . y
            EXPORTED_BLOCKEDW               . . . . . . . . . x . .
            EXPORTED_DIRTY                  . . . . . . . . . x . y
            EXPORTED_DIRTY_BLOCKEDW         . . . . . . . . . x . y
            PENDING                         . . . x . x . x . x . y
            PENDING_BLOCKED                 . . . . x x . x . x . y
            PENDING_BLOCKEDW                . . . x . x . . . x . y
            PENDING_EXPORTED_BLOCKEDW       . . . . . . . . . x . .
            PENDING_EXPORTED_DIRTY          . . . . . . . . . x . y
            PENDING_EXPORTED_DIRTY_BLOCKEDW . . . . . . . . . x . y
            """;

    /** In which TD the operands of a contract lie. */
    private static final Map<String, String> TD_OF =
            Map.of(
                    "RUN", "RUN",
                    "INIT", "INIT",
                    "UNINIT", "UNINIT",
                    "RUNVCPU", "RUN",
                    "BAREVCPU", "INIT",
                    "FRESHVCPU", "INIT");

    @TestFactory
    Stream<DynamicTest> opStateTable_everyCell() {
        return OP_STATES
                .lines()
                .flatMap(line -> {
                    List<String> words = List.of(line.trim().split(" ", -1));
                    Leaf leaf = Leaf.valueOf(words.getFirst());
                    return Stream.of(OpState.values())
                            .map(state ->
                                    DynamicTest.dynamicTest(
                                            leaf + " in " + state,
                                            () ->
                                                    assertThat(OpStateRules.allows(leaf, state))
                                                            .isEqualTo(
                                                                    words.subList(1, words.size())
                                                                            .contains(
                                                                                    ""
                                                                                            + state
                                                                                                    .ordinal()))));
                });
    }

    @TestFactory
    Stream<DynamicTest> septStateTable_everyCell() {
        return SEPT_STATES
                .lines()
                .flatMap(line -> {
                    String[] words = line.trim().split("\\s+", -1);
                    SeptEntryState state = SeptEntryState.valueOf(words[0]);
                    List<DynamicTest> tests = new ArrayList<>();
                    for (int i = 0; i < SEPT_COLUMNS.length; i++) {
                        Leaf leaf = Leaf.valueOf(SEPT_COLUMNS[i]);
                        boolean allowed = words[i + 1].equals("x");
                        tests.add(
                                DynamicTest.dynamicTest(
                                        leaf + " on " + state,
                                        () ->
                                                assertThat(SeptRules.allows(leaf, state))
                                                        .isEqualTo(allowed)));
                    }
                    boolean tracked = words[SEPT_COLUMNS.length + 1].equals("y");
                    tests.add(
                            DynamicTest.dynamicTest(
                                    "tracking of " + state,
                                    () ->
                                            assertThat(SeptRules.needsTracking(state))
                                                    .isEqualTo(tracked)));
                    return tests.stream();
                });
    }

    /** Through the front door: the TD is put into the state, and the leaf called. */
    @TestFactory
    Stream<DynamicTest> call_everyLeafInEveryOperationState_judgedAsTheTableSays() {
        return Contract.all(true).stream()
                .filter(contract -> row(contract.leaf()) != null)
                .filter(contract -> contract.leaf() != Leaf.VP_FLUSH)
                .flatMap(contract ->
                        Stream.of(OpState.values())
                                .map(state ->
                                        DynamicTest.dynamicTest(
                                                contract.leaf() + " called in " + state,
                                                () -> judge(contract, state))));
    }

    private static void judge(Contract contract, OpState state) {
        World world = new World(true);
        Registers regs = contract.call(world);
        String td =
                contract.operands().values().stream()
                        .map(TD_OF::get)
                        .filter(Objects::nonNull)
                        .findFirst()
                        .orElse("UNINIT");
        if (contract.leaf() == Leaf.MNG_ADDCX) {
            // Of the stages only this one has a control structure and may take more pages.
            regs.rdx(world.value(td));
        }
        long pfn = Addresses.pfn(world.value(td));
        Tdcs tdcs = Objects.requireNonNull(world.probe.state().tds().get(pfn)).tdcs();
        Objects.requireNonNull(tdcs).opState(state);

        long status = world.module.call(regs);

        String refusal = Status.show(StatusCode.OP_STATE_INCORRECT.withDetail(state.ordinal()));
        boolean allowed =
                Objects.requireNonNull(row(contract.leaf())).contains("" + state.ordinal());
        if (allowed) {
            assertThat(Status.show(status)).isNotEqualTo(refusal);
        } else {
            assertThat(Status.show(status)).isEqualTo(refusal);
        }
    }

    private static @org.jspecify.annotations.Nullable List<String> row(Leaf leaf) {
        return OP_STATES
                .lines()
                .map(line -> List.of(line.trim().split(" ", -1)))
                .filter(words -> words.getFirst().equals(leaf.name()))
                .map(words -> words.subList(1, words.size()))
                .findFirst()
                .orElse(null);
    }
}
