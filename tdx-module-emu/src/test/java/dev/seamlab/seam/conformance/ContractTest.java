// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.conformance.Contract.Fault;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Each leaf against its contract: every single fault, every pair of faults, and success. */
class ContractTest {
    /** Statuses that come with the S-EPT entry in RCX and RDX. */
    private static final Set<StatusCode> WITH_DETAILS =
            EnumSet.of(
                    StatusCode.EPT_WALK_FAILED,
                    StatusCode.EPT_ENTRY_STATE_INCORRECT,
                    StatusCode.EPT_ENTRY_NOT_PRESENT,
                    StatusCode.GPA_RANGE_NOT_BLOCKED,
                    StatusCode.GPA_RANGE_ALREADY_BLOCKED,
                    StatusCode.EPT_PAGE_NOT_FREE,
                    StatusCode.EPT_INVALID_PROMOTE_CONDITIONS);

    /** Leaves that read, or succeed without a trace in what is looked at. */
    private static final Set<Leaf> LEAVE_NO_TRACE =
            EnumSet.of(
                    Leaf.MNG_RD,
                    Leaf.VP_RD,
                    Leaf.VP_WR,
                    Leaf.MR_EXTEND,
                    Leaf.MEM_SEPT_RD,
                    Leaf.PHYMEM_PAGE_WBINVD,
                    Leaf.PHYMEM_PAGE_RDMD);

    /** Leaves that are refused whatever the operands are, in this world. */
    private static final Set<Leaf> NEVER_SUCCEED = EnumSet.of(Leaf.MEM_RD, Leaf.PHYMEM_PAMT_REMOVE);

    @TestFactory
    Stream<DynamicTest> singleFault_refusedAsTheFactsSayAndNothingChanged() {
        return worlds().flatMap(world ->
                Contract.all(world.dynamic).stream()
                        .flatMap(contract ->
                                contract.faults().stream()
                                        .map(fault -> test(world, contract, fault))));
    }

    @TestFactory
    Stream<DynamicTest> twoFaults_theOneThatIsCheckedFirstReported() {
        return worlds().flatMap(world ->
                Contract.all(world.dynamic).stream()
                        .flatMap(contract -> pairs(world, contract).stream()));
    }

    @TestFactory
    Stream<DynamicTest> noFault_succeedsAndChangesWhatItShould() {
        return Stream.of(false, true)
                .flatMap(dynamic ->
                        Contract.all(dynamic).stream()
                                .filter(contract -> !NEVER_SUCCEED.contains(contract.leaf()))
                                .map(contract ->
                                        DynamicTest.dynamicTest(
                                                contract.leaf() + (dynamic ? " dynamic" : ""),
                                                () -> succeeds(new World(dynamic), contract))));
    }

    private static Stream<World> worlds() {
        return Stream.of(new World(false), new World(true));
    }

    private static List<DynamicTest> pairs(World world, Contract contract) {
        List<DynamicTest> tests = new ArrayList<>();
        List<Fault> faults = contract.faults();
        for (int i = 0; i < faults.size(); i++) {
            for (int j = i + 1; j < faults.size(); j++) {
                if (!faults.get(i).register().equals(faults.get(j).register())) {
                    tests.add(test(world, contract, faults.get(i), faults.get(j)));
                }
            }
        }
        return tests;
    }

    private static DynamicTest test(World world, Contract contract, Fault first, Fault... later) {
        StringBuilder name =
                new StringBuilder().append(contract.leaf()).append(' ').append(text(first));
        for (Fault fault : later) {
            name.append(" before ").append(text(fault));
        }
        if (world.dynamic) {
            name.append(", dynamic");
        }
        return DynamicTest.dynamicTest(
                name.toString(), () -> refuses(world, contract, first, later));
    }

    private static String text(Fault fault) {
        return fault.register() + "=" + fault.value();
    }

    private static void refuses(World world, Contract contract, Fault first, Fault... later) {
        List<Fault> all = new ArrayList<>(List.of(later));
        all.add(first);
        Registers regs = contract.call(world, all.toArray(new Fault[0]));
        long before = world.probe.digest();

        long status = world.module.call(regs);

        assertThat(Status.show(status)).isEqualTo(Status.show(first.status()));
        assertThat(world.probe.digest()).as("state after a refusal").isEqualTo(before);
        if (zeroesRcxAndRdx(contract.leaf())) {
            boolean details = WITH_DETAILS.contains(StatusCode.of(status));
            assertThat((regs.rcx() | regs.rdx()) != 0)
                    .as("details in RCX and RDX")
                    .isEqualTo(details);
        }
    }

    private static boolean zeroesRcxAndRdx(Leaf leaf) {
        return (leaf.name().startsWith("MEM_") && leaf != Leaf.MEM_TRACK) || leaf == Leaf.MR_EXTEND;
    }

    private static void succeeds(World world, Contract contract) {
        long before = world.probe.digest();

        long status = world.module.call(contract.call(world));

        assertThat(Status.show(status)).isEqualTo(Status.show(Status.SUCCESS));
        assertThat(world.probe.digest() != before)
                .as("a trace in the state")
                .isEqualTo(!LEAVE_NO_TRACE.contains(contract.leaf()));
        assertThat(world.probe.violations()).isEmpty();
    }
}
