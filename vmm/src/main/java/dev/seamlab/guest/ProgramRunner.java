// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

import dev.seamlab.guest.Code.Insn;
import dev.seamlab.guest.Code.Kind;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.GuestCode;
import dev.seamlab.machine.GuestMode;
import dev.seamlab.machine.GuestMode.Outcome;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.TdcallLeaf;
import dev.seamlab.seam.abi.Tdvmcall;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Executes a program on one vCPU, instruction by instruction. All state is kept so that an
 * instruction that left the guest before it completed is simply executed again.
 *
 * <p>A guest that cannot go on (a refused ACCEPT or MapGPA, an unexpected #VE) reports a fatal
 * error to the host, as a kernel's panic does. The loops over pages allocate nothing.
 */
public final class ProgramRunner implements GuestCode {
    /** Touches in a row without looking for interrupts. */
    private static final int BATCH = 32;

    /** Where the ACPI control register of QEMU's q35 is, and what powers the machine off. */
    public static final int POWER_PORT = 0x604;

    public static final long POWER_OFF = 0x2000;

    private static final long NONE = -1;

    /** Stands for "no status": the instruction left the guest and is executed again. */
    private static final long INCOMPLETE = StatusCode.INTERRUPTED_RESUMABLE.word();

    private static final long R10_TO_R15 = 0xFC00;

    /** The registers that carry a fatal error's message as well: all but RAX, RCX, RSP, RBP. */
    private static final long MESSAGE_MASK = 0xFFCC;

    private static final int[] MESSAGE_REGISTERS = {
        Registers.R14,
        Registers.R15,
        Registers.RBX,
        Registers.RDI,
        Registers.RSI,
        Registers.R8,
        Registers.R9,
        Registers.RDX
    };
    private static final int SCRATCH_SLOT = 64;
    private static final int SCRATCH_SLOTS = 32;
    private static final int REPORT_DATA = SCRATCH_SLOT * SCRATCH_SLOTS;

    private final Insn[] insns;
    private final long sharedMask;
    private final @Gpa long scratch;
    private final int vcpu;
    private final GuestProgress progress = new GuestProgress();
    private final long[] loopsLeft;

    private int pc;
    private int depth;

    /** Next page of the current range, or steps done; NONE before the instruction begins. */
    private long cursor = NONE;

    /** Below this address the range is accepted in 4K units, because 2M did not fit. */
    private @Gpa long smallBelow;

    /** A page that a #VE says must be accepted first. */
    private @Gpa long acceptFirst = NONE;

    /** End of the unit that is being accepted or touched by USE. */
    private @Gpa long unitEnd = NONE;

    private boolean touching;

    /** The walk that is under way, and the touches it has done. */
    private @Nullable PageWalk walk;

    private long walked;

    /** A TDVMCALL went out; its answer is in the registers. */
    private boolean answered;

    private String failure = "";
    private boolean failed;

    /**
     * @param ops what to execute, see {@link Workload#compile}
     * @param vcpu number of the vCPU; gives each a place of its own in the scratch page
     */
    public ProgramRunner(List<Op> ops, GuestMemory memory, int vcpu) {
        Code code = Code.of(ops);
        this.vcpu = vcpu;
        this.insns = code.insns();
        this.loopsLeft = new long[code.depth()];
        this.sharedMask = 1L << memory.sharedBit();
        this.scratch = memory.scratch() + (long) (vcpu % SCRATCH_SLOTS) * SCRATCH_SLOT;
    }

    /** How far it has come; for any thread. */
    public GuestProgress progress() {
        return progress;
    }

    @Override
    public void step(GuestMode cpu) {
        if (failed) {
            reportFatal(cpu, 0, failure);
            return;
        }
        if (acceptFirst != NONE) {
            acceptPending(cpu);
            return;
        }
        Insn insn = insns[pc];
        if (cursor == NONE) {
            cursor = insn.kind() == Kind.SPIN ? 0 : insn.a();
        }
        switch (insn.kind()) {
            case TOUCH -> touch(cpu, insn);
            case ACCEPT -> accept(cpu, insn);
            case USE -> use(cpu, insn);
            case WALK -> walk(cpu, insn);
            case MAP_GPA -> mapGpa(cpu, insn);
            case RTMR -> rtmr(cpu, insn);
            case REPORT -> report(cpu, insn);
            case HALT -> halt(cpu);
            case SPIN -> spin(insn);
            case LOOP -> {
                loopsLeft[depth++] = insn.a();
                next(0);
            }
            case END_LOOP -> endLoop(insn);
            case FATAL -> reportFatal(cpu, insn.a(), insn.text());
            case SHUTDOWN -> shutdown(cpu);
            case END -> end(cpu);
        }
    }

    // ------------------------------------------------------------------ memory

    private void touch(GuestMode cpu, Insn insn) {
        if (touchUpTo(cpu, insn, insn.b(), insn.flag() ? sharedMask : 0)) {
            next(0);
        }
    }

    /** Touches some pages; whether the end is reached. */
    private boolean touchUpTo(GuestMode cpu, Insn insn, @Gpa long end, long bits) {
        for (int i = 0; i < BATCH && cursor < end; i++) {
            Outcome outcome = cpu.touch(cursor | bits, insn.access());
            if (outcome != Outcome.DONE) {
                interrupted(cpu, outcome);
                return false;
            }
            cursor += Addresses.PAGE_SIZE;
            progress.operations(1);
        }
        return cursor >= end;
    }

    private void accept(GuestMode cpu, Insn insn) {
        if (acceptOne(cpu, insn.b(), insn.flag()) && cursor >= insn.b()) {
            next(0);
        }
    }

    /** Accepts the unit at the cursor and moves on; whether that worked. */
    private boolean acceptOne(GuestMode cpu, @Gpa long end, boolean large) {
        boolean asLarge =
                large
                        && cursor >= smallBelow
                        && Addresses.isAligned(cursor, Addresses.RANGE_SIZE)
                        && end - cursor >= Addresses.RANGE_SIZE;
        int level = asLarge ? PageInfo.LEVEL_2M : PageInfo.LEVEL_4K;
        long status = acceptCall(cpu, cursor, level);
        if (status == Status.SUCCESS || StatusCode.PAGE_ALREADY_ACCEPTED.matches(status)) {
            long pages = asLarge ? Addresses.PAGES_PER_RANGE : 1;
            if (status == Status.SUCCESS) {
                progress.accepted(pages);
            }
            cursor += pages << Addresses.PAGE_SHIFT;
            progress.operations(pages);
            return true;
        }
        if (asLarge && StatusCode.PAGE_SIZE_MISMATCH.matches(status)) {
            smallBelow = cursor + Addresses.RANGE_SIZE;
        } else if (status != INCOMPLETE && !StatusCode.OPERAND_BUSY.matches(status)) {
            fail("TDG.MEM.PAGE.ACCEPT of " + Addresses.show(cursor) + ": " + Status.show(status));
        }
        return false;
    }

    private long acceptCall(GuestMode cpu, @Gpa long gpa, int level) {
        Registers regs = cpu.gprs();
        regs.rax(TdcallLeaf.MEM_PAGE_ACCEPT.number()).rcx(PageInfo.ofGpa(gpa, level));
        return cpu.tdcall() == Outcome.DONE ? regs.rax() : INCOMPLETE;
    }

    private void use(GuestMode cpu, Insn insn) {
        if (unitEnd == NONE) {
            unitEnd = Math.min(insn.b(), Addresses.alignDown(cursor, insn.unit()) + insn.unit());
            touching = false;
        }
        if (!touching) {
            if (acceptOne(cpu, unitEnd, true) && cursor >= unitEnd) {
                touching = true;
                cursor = Math.max(insn.a(), Addresses.alignDown(unitEnd - 1, insn.unit()));
            }
            return;
        }
        if (touchUpTo(cpu, insn, unitEnd, 0)) {
            unitEnd = NONE;
            if (cursor >= insn.b()) {
                next(0);
            }
        }
    }

    /** Touches pages at random; the page is drawn once, however often its touch is repeated. */
    private void walk(GuestMode cpu, Insn insn) {
        Op.Walk plan = insn.walk();
        PageWalk current = walk;
        if (plan == null) {
            throw new AssertionError("a walk without plan");
        }
        if (current == null) {
            long pages = plan.range().pages();
            current = new PageWalk(pages, plan.skewPercent(), plan.seed() + vcpu);
            walk = current;
            walked = 0;
            cursor = draw(current, insn);
        }
        for (int i = 0; i < BATCH && walked < plan.touches(); i++) {
            Outcome outcome = cpu.touch(cursor, insn.access());
            if (outcome != Outcome.DONE) {
                interrupted(cpu, outcome);
                return;
            }
            walked++;
            progress.operations(1);
            cursor = draw(current, insn);
        }
        if (walked >= plan.touches()) {
            walk = null;
            next(0);
        }
    }

    private static @Gpa long draw(PageWalk walk, Insn insn) {
        return insn.a() + (walk.next() << Addresses.PAGE_SHIFT);
    }

    private void interrupted(GuestMode cpu, Outcome outcome) {
        switch (outcome) {
            case DONE, EXITED -> {
                // Executed again at the next step.
            }
            case VIRTUALIZATION_EXCEPTION -> handleVe(cpu);
            case GENERAL_PROTECTION, EXCEPTION -> fail(outcome + " at " + Addresses.show(cursor));
        }
    }

    /** A #VE for an EPT violation means a page that is there but not accepted. */
    private void handleVe(GuestMode cpu) {
        Registers regs = cpu.gprs();
        regs.rax(TdcallLeaf.VP_VEINFO_GET.number());
        if (cpu.tdcall() != Outcome.DONE || regs.rax() != Status.SUCCESS) {
            fail("#VE without information: " + Status.show(regs.rax()));
            return;
        }
        int reason = (int) regs.rcx();
        long gpa = Addresses.alignDown(regs.r9(), Addresses.PAGE_SIZE);
        if (reason == ExitReason.EPT_VIOLATION && (gpa & sharedMask) == 0) {
            acceptFirst = gpa;
        } else {
            fail("#VE for exit reason " + reason + " at " + Addresses.show(gpa));
        }
    }

    private void acceptPending(GuestMode cpu) {
        long status = acceptCall(cpu, acceptFirst, PageInfo.LEVEL_4K);
        if (status == Status.SUCCESS || StatusCode.PAGE_ALREADY_ACCEPTED.matches(status)) {
            if (status == Status.SUCCESS) {
                progress.accepted(1);
            }
            acceptFirst = NONE;
        } else if (status != INCOMPLETE && !StatusCode.OPERAND_BUSY.matches(status)) {
            fail("accepting " + Addresses.show(acceptFirst) + ": " + Status.show(status));
        }
    }

    // ------------------------------------------------------------------ calls to the host

    private void mapGpa(GuestMode cpu, Insn insn) {
        long bits = insn.flag() ? sharedMask : 0;
        if (!answered) {
            cpu.gprs().r12(cursor | bits).r13(insn.b() - cursor);
            vmcall(cpu, Tdvmcall.MAP_GPA, R10_TO_R15);
            return;
        }
        answered = false;
        Registers regs = cpu.gprs();
        if (regs.r10() == Tdvmcall.SUCCESS) {
            progress.operations((insn.b() - insn.a()) >>> Addresses.PAGE_SHIFT);
            next(0);
        } else if (regs.r10() == Tdvmcall.RETRY) {
            cursor = regs.r11() & ~sharedMask;
        } else {
            fail(
                    "MapGPA of "
                            + Addresses.show(cursor | bits)
                            + " was refused with 0x"
                            + Long.toHexString(regs.r10()));
        }
    }

    private void halt(GuestMode cpu) {
        if (!answered) {
            if (insns[pc + 1].kind() == Kind.END) {
                progress.finish(); // nothing comes after it, so this is the end already
            }
            cpu.gprs().r12(0);
            vmcall(cpu, Tdvmcall.HLT, R10_TO_R15);
            return;
        }
        answered = false;
        next(1);
    }

    /** The program is over: halts again and again. */
    private void end(GuestMode cpu) {
        progress.finish();
        answered = false;
        cpu.gprs().r12(0);
        vmcall(cpu, Tdvmcall.HLT, R10_TO_R15);
        answered = false;
    }

    private void shutdown(GuestMode cpu) {
        if (answered) {
            answered = false;
            next(1);
            return;
        }
        Registers regs = cpu.gprs();
        regs.r12(2).r13(1);
        regs.set(Registers.R14, POWER_PORT);
        regs.set(Registers.R15, POWER_OFF);
        progress.finish();
        vmcall(cpu, Tdvmcall.IO, R10_TO_R15);
    }

    private void reportFatal(GuestMode cpu, long code, String message) {
        Registers regs = cpu.gprs();
        byte[] text = message.getBytes(StandardCharsets.US_ASCII);
        for (int r = 0; r < MESSAGE_REGISTERS.length; r++) {
            long word = 0;
            for (int b = 7; b >= 0; b--) {
                int at = r * 8 + b;
                word = word << 8 | (at < text.length ? text[at] & 0xFF : 0);
            }
            regs.set(MESSAGE_REGISTERS[r], word);
        }
        regs.r12(code).r13(0);
        progress.finish();
        vmcall(cpu, Tdvmcall.REPORT_FATAL_ERROR, MESSAGE_MASK);
    }

    private void vmcall(GuestMode cpu, long function, long mask) {
        Registers regs = cpu.gprs();
        regs.rax(TdcallLeaf.VP_VMCALL.number()).rcx(mask).r10(0).r11(function);
        Outcome outcome = cpu.tdcall();
        if (outcome == Outcome.EXITED) {
            answered = true;
        } else {
            throw new AssertionError(
                    "TDG.VP.VMCALL ended with " + outcome + ", " + Status.show(regs.rax()));
        }
    }

    // ------------------------------------------------------------------ measurement

    private void rtmr(GuestMode cpu, Insn insn) {
        byte[] digest = sha384(insn.text());
        Outcome outcome = cpu.write(scratch, digest, 0, digest.length);
        if (outcome != Outcome.DONE) {
            interrupted(cpu, outcome);
            return;
        }
        cpu.gprs().rax(TdcallLeaf.MR_RTMR_EXTEND.number()).rcx(scratch).rdx(insn.a());
        finishCall(cpu, "TDG.MR.RTMR.EXTEND");
    }

    private void report(GuestMode cpu, Insn insn) {
        long page = Addresses.alignDown(scratch, Addresses.PAGE_SIZE);
        cpu.gprs().rax(TdcallLeaf.MR_REPORT.number()).rcx(insn.a()).rdx(page + REPORT_DATA).r8(0);
        finishCall(cpu, "TDG.MR.REPORT");
    }

    private void finishCall(GuestMode cpu, String leaf) {
        if (cpu.tdcall() != Outcome.DONE) {
            return;
        }
        long status = cpu.gprs().rax();
        if (status == Status.SUCCESS) {
            next(1);
        } else if (!StatusCode.OPERAND_BUSY.matches(status)) {
            fail(leaf + ": " + Status.show(status));
        }
    }

    // ------------------------------------------------------------------ control

    private void spin(Insn insn) {
        cursor++;
        progress.operations(1);
        if (cursor >= insn.b()) {
            next(0);
        }
    }

    private void endLoop(Insn insn) {
        if (--loopsLeft[depth - 1] > 0) {
            pc = (int) insn.b();
            cursor = NONE;
        } else {
            depth--;
            next(0);
        }
    }

    private void next(long operations) {
        progress.operations(operations);
        pc++;
        cursor = NONE;
        smallBelow = 0;
        unitEnd = NONE;
    }

    private void fail(String why) {
        failed = true;
        failure = why;
    }

    private static byte[] sha384(String text) {
        try {
            return MessageDigest.getInstance("SHA-384")
                    .digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-384", e);
        }
    }
}
