// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.core.InterruptModel;
import dev.seamlab.seam.key.CacheWriteBack;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every leaf among interrupts: at each place where it looks for one, at all of them one after the
 * other, and at places where nobody should look. However often it was stopped, it ends in the state
 * and with the answer of a world in which nobody disturbed it.
 *
 * <p>Instructions of the guest heed the CPU's interrupts instead of the model: AcceptTest and
 * MeasurementLeavesTest stop those.
 */
class InterruptSweepTest {
    /** How often a leaf looks, as {@link InterruptModel} says; the others never do. */
    private static final Map<Leaf, Integer> LOOKS =
            Map.of(
                    Leaf.MEM_PAGE_DEMOTE, 1,
                    Leaf.MEM_PAGE_PROMOTE, 1,
                    Leaf.PHYMEM_CACHE_WB, CacheWriteBack.SUB_BLOCKS - 1);

    /** The command with which CACHE.WB goes on. */
    private static final int RESUME = 1;

    /** Counts the looks, and has an interrupt pending at some of them. */
    private static final class Interrupts implements InterruptModel {
        private int first = Integer.MAX_VALUE;
        private int last = Integer.MAX_VALUE;
        private int looks;

        /** From now on; the first look is number 1. */
        void pendingAt(int from, int to) {
            first = from;
            last = to;
            looks = 0;
        }

        @Override
        public boolean isPending(LogicalCpu cpu, Leaf leaf) {
            looks++;
            return looks >= first && looks <= last;
        }

        @Override
        public boolean yieldsToHostPriority() {
            return true;
        }
    }

    /** What one world came to: the answers of a leaf, and what it left behind. */
    private record End(long status, String registers, long digest, int looks) {}

    /** What each leaf comes to when nobody disturbs it. */
    private static final Map<Contract, End> SMOOTH = new ConcurrentHashMap<>();

    static Stream<Contract> contracts() {
        return Contract.all(true).stream();
    }

    static Stream<Contract> lookers() {
        return contracts().filter(contract -> LOOKS.containsKey(contract.leaf()));
    }

    static Stream<Contract> others() {
        return contracts().filter(contract -> !LOOKS.containsKey(contract.leaf()));
    }

    @ParameterizedTest
    @MethodSource("contracts")
    void twoUndisturbedWorlds_areAlike(Contract contract) {
        assertThat(live(contract)).isEqualTo(undisturbed(contract));
    }

    @ParameterizedTest
    @MethodSource("contracts")
    void anyLeaf_looksAsOftenAsTheModelSays(Contract contract) {
        End smooth = undisturbed(contract);
        assertThat(smooth.looks()).isEqualTo(LOOKS.getOrDefault(contract.leaf(), 0));
        if (smooth.looks() > 0) {
            assertThat(smooth.status()).isEqualTo(Status.SUCCESS);
        }
    }

    @ParameterizedTest
    @MethodSource("others")
    void leafThatNeverLooks_isNotStoppedByAnInterruptThatIsAlwaysPending(Contract contract) {
        Interrupts interrupts = new Interrupts();
        World world = new World(true, interrupts);
        interrupts.pendingAt(1, Integer.MAX_VALUE);
        assertThat(call(world, interrupts, contract.call(world))).isEqualTo(undisturbed(contract));
    }

    @ParameterizedTest
    @MethodSource("lookers")
    void leafThatLooks_stoppedAnywhere_endsAsIfUndisturbed(Contract contract) {
        for (int look = 1; look <= LOOKS.get(contract.leaf()); look++) {
            stoppedAt(look, look, contract);
        }
    }

    @ParameterizedTest
    @MethodSource("lookers")
    void leafThatLooks_stoppedEverywhereInARow_endsAsIfUndisturbed(Contract contract) {
        // A leaf that starts over looks again at the same place: let it be stopped five times.
        stoppedAt(1, 5, contract);
    }

    private static void stoppedAt(int first, int last, Contract contract) {
        String where = contract.leaf() + " stopped at looks " + first + " to " + last;
        Interrupts interrupts = new Interrupts();
        World world = new World(true, interrupts);
        Registers regs = contract.call(world);
        long rax = regs.rax();
        Registers asked = new Registers();
        asked.copyFrom(regs);
        long before = world.probe.digest();
        interrupts.pendingAt(first, last);
        int stops = 0;
        long status = world.module.call(regs);
        while (status != Status.SUCCESS) {
            stops++;
            assertThat(world.probe.violations()).as(where).isEmpty();
            if (status == StatusCode.INTERRUPTED_RESUMABLE.word()) {
                regs.rcx(RESUME);
            } else {
                assertThat(status).as(where).isEqualTo(StatusCode.INTERRUPTED_RESTARTABLE.word());
                assertThat(world.probe.digest()).as(where).isEqualTo(before);
                assertThat(shown(regs)).as(where).isEqualTo(shown(asked));
            }
            status = world.module.call(regs.rax(rax));
        }
        boolean restarts = contract.leaf() != Leaf.PHYMEM_CACHE_WB;
        int reached = restarts ? last : Math.min(last, LOOKS.get(contract.leaf()));
        assertThat(stops).as(where).isEqualTo(reached - first + 1);
        End smooth = undisturbed(contract);
        assertThat(world.probe.violations()).as(where).isEmpty();
        assertThat(world.probe.digest()).as(where).isNotEqualTo(before).isEqualTo(smooth.digest());
        if (restarts) {
            assertThat(shown(regs)).as(where).isEqualTo(smooth.registers());
        }
    }

    private static End undisturbed(Contract contract) {
        return SMOOTH.computeIfAbsent(contract, InterruptSweepTest::live);
    }

    private static End live(Contract contract) {
        Interrupts none = new Interrupts();
        World world = new World(true, none);
        Registers regs = contract.call(world);
        none.pendingAt(Integer.MAX_VALUE, Integer.MAX_VALUE);
        return call(world, none, regs);
    }

    private static End call(World world, Interrupts interrupts, Registers regs) {
        long status = world.module.call(regs);
        assertThat(world.probe.violations()).isEmpty();
        return new End(status, shown(regs), world.probe.digest(), interrupts.looks);
    }

    /** All registers but RAX, the answer. */
    private static String shown(Registers regs) {
        StringBuilder text = new StringBuilder();
        for (int r = Registers.RCX; r < Registers.COUNT; r++) {
            text.append(r).append('=').append(Long.toHexString(regs.get(r))).append(' ');
        }
        return text.toString();
    }
}
