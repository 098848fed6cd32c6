// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

import dev.seamlab.guest.GuestMemory.Range;
import dev.seamlab.machine.GuestMode;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.ExitReason;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Fuzz target: the text of a guest program. It is read, says the same when it is read again, and
 * runs; or it is refused with the place of the mistake. Nothing else comes out.
 */
public final class GuestProgramFuzz {
    private static final int MOST_STEPS = 2000;
    private static final GuestMemory MEMORY =
            new GuestMemory(List.of(new Range(0x100_0000, 0x200_0000)), 47, 0x1000);

    private GuestProgramFuzz() {}

    /** Called by the fuzzer, and by the test that runs the kept inputs. */
    public static void fuzzerTestOneInput(byte[] input) {
        String text = new String(input, StandardCharsets.UTF_8);
        Workload workload;
        try {
            workload = Workload.parse(text);
        } catch (InvalidProgramException refused) {
            check(
                    refused.position() >= 0 && refused.position() <= text.length(),
                    "a mistake at " + refused.position());
            return;
        }
        check(Workload.parse(workload.text()).equals(workload), "reads differently again");
        for (int vcpu = 0; vcpu < 2; vcpu++) {
            run(workload, vcpu);
        }
    }

    private static void run(Workload workload, int vcpu) {
        ProgramRunner runner = new ProgramRunner(workload.compile(MEMORY, vcpu, 2), MEMORY, vcpu);
        Cpu cpu = new Cpu();
        long operations = 0;
        for (int step = 0; step < MOST_STEPS && !runner.progress().isFinished(); step++) {
            runner.step(cpu);
            check(runner.progress().operations() >= operations, "operations undone");
            operations = runner.progress().operations();
        }
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }

    /** A CPU on which everything goes well, at the second attempt now and then. */
    private static final class Cpu implements GuestMode {
        private final Registers gprs = new Registers();
        private int instructions;

        private Outcome next() {
            return ++instructions % 7 == 0 ? Outcome.EXITED : Outcome.DONE;
        }

        @Override
        public Registers gprs() {
            return gprs;
        }

        @Override
        public Outcome touch(long gpa, Access access) {
            check(gpa >= 0 && gpa < 1L << 52, "touches " + Long.toHexString(gpa));
            return next();
        }

        @Override
        public Outcome read(long gpa, byte[] into, int at, int length) {
            return touch(gpa, Access.READ);
        }

        @Override
        public Outcome write(long gpa, byte[] from, int at, int length) {
            return touch(gpa, Access.WRITE);
        }

        @Override
        public Outcome tdcall() {
            boolean vmcall = gprs.rax() == 0;
            Outcome outcome = vmcall ? Outcome.EXITED : next();
            if (outcome == Outcome.DONE || vmcall) {
                gprs.rax(0).set(Registers.R10, 0);
            }
            return outcome;
        }

        @Override
        public Outcome vmExit(int reason, long qualification, long gpa, long interruptionInfo) {
            check(reason != ExitReason.EPT_VIOLATION, "a program makes no EPT violation itself");
            return Outcome.EXITED;
        }

        @Override
        public void instructionPointer(long pointer) {
            // Any number will do.
        }
    }
}
