// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Tdvmcall;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the guest asks of the host by TDG.VP.VMCALL (facts: module ABI section 2.5, Linux sheet
 * section 4.11). Answers go into the guest's R10 and, by call, R11 and more. What is not modelled
 * is answered with "sub-function unsupported", as a host without it does.
 */
final class Tdvmcalls {
    /** What becomes of a call. */
    enum Result {
        /** The answer stands in the registers. */
        ANSWERED,
        /** The guest sleeps. */
        HALT,
        /** A conversion goes on chunk by chunk, see {@link #nextChunk}. */
        MAP_GPA,
        /** User space has to look at {@link #userExit}. */
        USER_SPACE
    }

    /** KVM does MapGPA in pieces of this size, so that an interrupt does not wait for long. */
    private static final long CHUNK = Addresses.RANGE_SIZE;

    /** KVM's answer to an unknown hypercall of its own (-KVM_ENOSYS). */
    private static final long KVM_ENOSYS = -1000;

    /** Vectors that a guest may name; those below are exceptions. */
    private static final long FIRST_VECTOR = 32;

    private static final long LAST_VECTOR = 255;

    /** What KVM shows of a guest that gave up; 0 stands for RSP and RBP. */
    private static final int[] DUMPED_REGISTERS = {
        Registers.RAX,
        Registers.RCX,
        Registers.RDX,
        Registers.RBX,
        -1,
        -1,
        Registers.RSI,
        Registers.RDI,
        Registers.R8,
        Registers.R9,
        Registers.R10,
        Registers.R11,
        Registers.R12,
        Registers.R13,
        Registers.R14,
        Registers.R15
    };

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

    private final KvmTdx vm;
    private final Registers regs;
    private @Nullable KvmExit userExit;
    private KvmExit.@Nullable Tdx pending;

    // A MapGPA under way: mapNext < mapEnd.
    private @Gpa long mapNext;
    private @Gpa long mapEnd;
    private boolean mapToShared;

    Tdvmcalls(KvmTdx vm, Registers regs) {
        this.vm = vm;
        this.regs = regs;
    }

    Result serve() {
        if (regs.r10() != 0) {
            return answer(KVM_ENOSYS);
        }
        long function = regs.r11();
        if (function == Tdvmcall.MAP_GPA) {
            return mapGpa();
        }
        if (function == Tdvmcall.HLT) {
            answer(Tdvmcall.SUCCESS);
            return Result.HALT;
        }
        if (function == Tdvmcall.REPORT_FATAL_ERROR) {
            KvmExit fatal = new KvmExit.FatalError(regs.r12(), message(), dump());
            answer(Tdvmcall.SUCCESS);
            return exit(fatal);
        }
        if (function == Tdvmcall.IO) {
            return io();
        }
        if (function == Tdvmcall.GET_TD_VMCALL_INFO) {
            return vmCallInfo();
        }
        if (function == Tdvmcall.GET_QUOTE) {
            return getQuote();
        }
        if (function == Tdvmcall.SETUP_EVENT_NOTIFY_INTERRUPT) {
            return setupEventNotify();
        }
        return answer(Tdvmcall.SUBFUNC_UNSUPPORTED);
    }

    private Result vmCallInfo() {
        long leaf = regs.r12();
        if (leaf != 0 && leaf != 1) {
            return answer(Tdvmcall.INVALID_OPERAND);
        }
        // Nothing beyond the base set, unless user space says so for leaf 1.
        answerInfo(Tdvmcall.SUCCESS, 0, 0, 0, 0);
        return leaf == 0 ? Result.ANSWERED : exitTdx(new KvmExit.GetTdVmCallInfo(leaf));
    }

    private Result getQuote() {
        long gpa = regs.r12();
        if ((gpa & sharedMask()) == 0) {
            return answer(Tdvmcall.INVALID_OPERAND);
        }
        answer(Tdvmcall.SUBFUNC_UNSUPPORTED);
        return exitTdx(new KvmExit.GetQuote(gpa & ~sharedMask(), regs.r13()));
    }

    private Result setupEventNotify() {
        long vector = regs.r12();
        if (vector < FIRST_VECTOR || vector > LAST_VECTOR) {
            return answer(Tdvmcall.INVALID_OPERAND);
        }
        answer(Tdvmcall.SUBFUNC_UNSUPPORTED);
        return exitTdx(new KvmExit.SetupEventNotifyInterrupt((int) vector));
    }

    private Result exitTdx(KvmExit.Tdx exit) {
        pending = exit;
        return exit(exit);
    }

    /** User space answers the last KVM_EXIT_TDX; {@code more} goes into R11 to R14. */
    void completeTdx(long code, long[] more) {
        KvmExit.Tdx asked = pending;
        if (asked == null) {
            throw new IllegalStateException("no TDVMCALL waits for user space");
        }
        pending = null;
        if (asked instanceof KvmExit.GetTdVmCallInfo) {
            long[] words = Arrays.copyOf(more, 4);
            answerInfo(code, words[0], words[1], words[2], words[3]);
        } else {
            answer(code);
        }
    }

    private void answerInfo(long code, long r11, long r12, long r13, long r14) {
        regs.r11(r11).r12(r12).r13(r13);
        regs.set(Registers.R14, r14);
        answer(code);
    }

    /** The exit of the last {@link Result#USER_SPACE}. */
    KvmExit userExit() {
        KvmExit exit = userExit;
        if (exit == null) {
            throw new AssertionError("no exit stands for user space");
        }
        userExit = null;
        return exit;
    }

    /** The next piece of a conversion, or null where none is under way. */
    @Nullable KvmExit nextChunk() {
        if (mapNext >= mapEnd) {
            return null;
        }
        return new KvmExit.MapGpa(mapNext, Math.min(CHUNK, mapEnd - mapNext), mapToShared);
    }

    /** User space is done with the piece. */
    void completeChunk(int result) {
        if (mapNext >= mapEnd) {
            throw new IllegalStateException("no MapGPA is under way");
        }
        if (result != Errno.OK) {
            // User space knows two ways to say no; a guest that is told to retry goes on from here.
            endMapGpa(result == Errno.EAGAIN ? Tdvmcall.RETRY : Tdvmcall.INVALID_OPERAND);
            return;
        }
        mapNext += Math.min(CHUNK, mapEnd - mapNext);
        if (mapNext >= mapEnd) {
            answer(Tdvmcall.SUCCESS);
        }
    }

    /** Something else comes first: the guest is told where to go on. */
    void interruptMapGpa() {
        if (mapNext < mapEnd) {
            endMapGpa(Tdvmcall.RETRY);
        }
    }

    private void endMapGpa(long code) {
        regs.r11(mapNext | (mapToShared ? sharedMask() : 0));
        mapEnd = mapNext;
        answer(code);
    }

    private Result mapGpa() {
        long gpa = regs.r12();
        long size = regs.r13();
        long shared = sharedMask();
        long last = gpa + size - 1;
        if (!vm.life().exitsOnMapGpa()) {
            // As the kernel since 6.16: user space cannot be asked, so there is no such call.
            regs.r11(gpa);
            return answer(Tdvmcall.SUBFUNC_UNSUPPORTED);
        }
        boolean legal =
                gpa >= 0
                        && size > 0
                        && last >= gpa
                        && last < shared << 1
                        && (gpa & shared) == (last & shared);
        if (!legal) {
            regs.r11(gpa);
            return answer(Tdvmcall.INVALID_OPERAND);
        }
        if (!Addresses.isAligned(gpa | size, Addresses.PAGE_SIZE)) {
            regs.r11(gpa);
            return answer(Tdvmcall.ALIGN_ERROR);
        }
        mapToShared = (gpa & shared) != 0;
        mapNext = gpa & ~shared;
        mapEnd = mapNext + size;
        return Result.MAP_GPA;
    }

    private Result io() {
        long size = regs.r12();
        boolean out = regs.r13() == 1;
        if ((size != 1 && size != 2 && size != 4) || (regs.r13() & ~1L) != 0) {
            return answer(Tdvmcall.INVALID_OPERAND);
        }
        int port = (int) regs.get(Registers.R14) & 0xFFFF;
        if (!out) {
            // No device answers: the bus floats high.
            regs.r11((1L << (8 * size)) - 1);
            return answer(Tdvmcall.SUCCESS);
        }
        answer(Tdvmcall.SUCCESS);
        return exit(new KvmExit.PortOut(port, (int) size, regs.get(Registers.R15)));
    }

    private Result exit(KvmExit exit) {
        userExit = exit;
        return Result.USER_SPACE;
    }

    private Result answer(long code) {
        regs.r10(code);
        return Result.ANSWERED;
    }

    private long sharedMask() {
        return 1L << vm.config().sharedBit();
    }

    private List<Long> dump() {
        return Arrays.stream(DUMPED_REGISTERS)
                .mapToObj(register -> register < 0 ? 0L : regs.get(register))
                .toList();
    }

    private String message() {
        ByteBuffer bytes = ByteBuffer.allocate(64).order(ByteOrder.LITTLE_ENDIAN);
        for (int register : MESSAGE_REGISTERS) {
            bytes.putLong(regs.get(register));
        }
        return new String(bytes.array(), StandardCharsets.US_ASCII)
                .replaceAll("[^\\x20-\\x7E]", "")
                .strip();
    }
}
