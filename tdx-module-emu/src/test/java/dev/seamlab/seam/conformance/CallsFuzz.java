// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.conformance;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.GuestCode;
import dev.seamlab.machine.GuestContext;
import dev.seamlab.machine.GuestMode;
import dev.seamlab.machine.GuestMode.Access;
import dev.seamlab.machine.GuestMode.Outcome;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.SharedEpt;
import dev.seamlab.seam.TestModule;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.TdcallLeaf;
import dev.seamlab.seam.fuzz.Input;
import java.util.Arrays;
import java.util.List;

/**
 * Fuzz target: a sequence of SEAMCALLs on a module with TDs in every stage of their life, and what
 * their guests do in between. Whatever it is, each call answers a status of its leaf, no exception
 * comes out, and at the end every invariant holds and no lock is held.
 *
 * <pre>
 *   input     = dynamic-PAMT bit, { call }
 *   call      = CPU and version, leaf, operand of RCX, RDX, R8, R9, R12, R13
 *   operand   = number of a named value, or one with a bit flipped or so many pages off, or 8 bytes
 *   VP.ENTER reads what the guest does from the same bytes: { instruction, operands }
 * </pre>
 */
public final class CallsFuzz {
    /** Ranges of 2M that the invariants are checked in; operands beyond lead into them. */
    private static final int RANGES = 8;

    private static final long WINDOW = RANGES * Addresses.RANGE_SIZE;
    private static final int MOST_CALLS = 200;
    private static final int MOST_INSTRUCTIONS = 24;

    private static final int[] OPERANDS = {
        Registers.RCX, Registers.RDX, Registers.R8, Registers.R9, Registers.R12, Registers.R13
    };
    private static final int[] GUEST_OPERANDS = {
        Registers.RCX, Registers.RDX, Registers.R8, Registers.R9
    };
    private static final Leaf[] LEAVES =
            AllowedStatuses.leaves().stream()
                    .filter(leaf -> leaf != Leaf.SYS_SHUTDOWN) // nothing comes after it
                    .toArray(Leaf[]::new);
    private static final TdcallLeaf[] TDCALLS = TdcallLeaf.values();
    private static final long[] NUMBERS = {
        0,
        1,
        2,
        7,
        -1L,
        0x21,
        0x3F,
        Long.MIN_VALUE,
        1L << 46,
        1L << 47,
        1L << 51,
        1L << 52,
        0x9010_0002_0000_0004L,
        0x9110_0003_0000_0011L,
        0xA020_0002_0000_0002L,
        0x2020_0000_0000_000BL,
        0xFC00
    };

    /** How a guest's TD may come out of VP.ENTER, beside exit reasons. */
    private static final List<StatusCode> EXITS =
            List.of(
                    StatusCode.NON_RECOVERABLE_VCPU,
                    StatusCode.NON_RECOVERABLE_TD,
                    StatusCode.NON_RECOVERABLE_TD_NON_ACCESSIBLE,
                    StatusCode.HOST_PRIORITY_BUSY_TIMEOUT);

    private final World world;
    private final Input input;
    private final long[] values;
    private final Registers regs = new Registers();

    private CallsFuzz(Input input) {
        this.input = input;
        this.world = new World((input.next() & 1) != 0);
        long[] named = world.values();
        this.values = Arrays.copyOf(named, named.length + NUMBERS.length);
        System.arraycopy(NUMBERS, 0, values, named.length, NUMBERS.length);
        for (String vcpu : List.of("RUNVCPU", "FLUSHEDVCPU", "INITVCPU")) {
            world.module
                    .machine()
                    .bindGuest(world.value(vcpu), new GuestContext(new Guest(), CallsFuzz::ept));
        }
    }

    /** Called by the fuzzer, and by the test that runs the kept inputs. */
    public static void fuzzerTestOneInput(byte[] bytes) {
        CallsFuzz run = new CallsFuzz(new Input(bytes));
        for (int call = 0; call < MOST_CALLS && !run.input.atEnd(); call++) {
            run.call();
        }
        // One more, which asserts that the call before has left no lock on its CPU's list.
        for (int cpu = 0; cpu < 2; cpu++) {
            run.regs.clear().rax(Leaf.SYS_RD.number());
            judge(Leaf.SYS_RD, run.world.module.call(cpu, run.regs));
        }
        List<String> wrong = run.world.probe.violations();
        if (!wrong.isEmpty()) {
            throw new AssertionError(wrong.toString());
        }
    }

    private void call() {
        int how = input.next();
        int which = input.next();
        regs.clear();
        Leaf leaf = which < LEAVES.length ? LEAVES[which] : Leaf.of(which - LEAVES.length);
        long number = leaf == null ? which : leaf.number();
        regs.rax(number | (long) (how >>> 1 & 3) << 16);
        if (leaf == Leaf.SYS_SHUTDOWN) {
            return;
        }
        for (int operand : OPERANDS) {
            regs.set(operand, inWindow(operand()));
        }
        judge(leaf, world.module.call(how & 1, regs));
    }

    private static void judge(Leaf leaf, long status) {
        StatusCode code = StatusCode.of(status);
        boolean known =
                leaf == null
                        ? StatusCode.OPERAND_INVALID.matches(status)
                        : (code != null && AllowedStatuses.allows(leaf, code))
                                || (leaf == Leaf.VP_ENTER
                                        && (status >>> 32 == 0 || EXITS.contains(code)));
        if (!known) {
            throw new AssertionError(leaf + " answered " + Status.show(status));
        }
    }

    private long operand() {
        int kind = input.next();
        if (kind < 0xC0) {
            return values[kind % values.length];
        }
        if (kind < 0xE0) {
            return values[input.next() % values.length] ^ 1L << (input.next() & 63);
        }
        if (kind < 0xF8) {
            return values[input.next() % values.length] + input.next() * Addresses.PAGE_SIZE;
        }
        return input.nextLong();
    }

    /** The invariants are those of the window; a page beyond it becomes one inside. */
    private static long inWindow(long value) {
        long address = value & (1L << 46) - 1;
        long offset = address - TestModule.BASE;
        boolean beyond = offset >= WINDOW && offset < 4 * Addresses.GIB;
        return beyond ? value - offset + offset % WINDOW : value;
    }

    /** The host's own EPT: a page of the host's for some addresses. */
    private static long ept(long gpa, Access access) {
        return (gpa & 0x1000) == 0 ? TestModule.BUFFER + 0x80_0000 : SharedEpt.NOT_MAPPED;
    }

    /** What a vCPU executes: the bytes that come next, for a while. */
    private final class Guest implements GuestCode {
        private int left = MOST_INSTRUCTIONS;
        private final byte[] scratch = new byte[8];

        @Override
        public void step(GuestMode cpu) {
            if (left-- <= 0 || input.atEnd()) {
                left = MOST_INSTRUCTIONS;
                cpu.vmExit(ExitReason.EXTERNAL_INTERRUPT, 0, 0, 0x8000_00F0L);
                return;
            }
            switch (input.next() % 8) {
                case 0, 1, 2, 3 -> tdcall(cpu);
                case 4 -> cpu.touch(operand(), Access.values()[input.next() % 3]);
                case 5 -> cpu.read(operand() & -8, scratch, 0, 8);
                case 6 -> cpu.write(operand() & -8, scratch, 0, 8);
                default -> rarely(cpu);
            }
        }

        private void tdcall(GuestMode cpu) {
            int which = input.next();
            Registers gprs = cpu.gprs().clear();
            int number = which < TDCALLS.length ? TDCALLS[which].number() : which;
            gprs.rax(number | (long) (input.next() & 3) << 16);
            for (int operand : GUEST_OPERANDS) {
                gprs.set(operand, operand());
            }
            if (cpu.tdcall() == Outcome.DONE && StatusCode.of(cpu.gprs().rax()) == null) {
                throw new AssertionError(
                        "TDCALL " + number + " answered " + Status.show(cpu.gprs().rax()));
            }
        }

        private void rarely(GuestMode cpu) {
            if (input.next() < 0x40) {
                cpu.instructionPointer(input.next());
            } else {
                cpu.vmExit(input.next() % 80, input.next(), operand(), operand());
            }
        }
    }
}
