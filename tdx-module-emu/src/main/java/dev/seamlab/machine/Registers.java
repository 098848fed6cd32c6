// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine;

/**
 * A register file: the sixteen general-purpose registers in the order the CPU numbers them.
 *
 * <p>One instance belongs to one thread and is used again for each call, so that a SEAMCALL
 * allocates nothing. Reads and writes are plain.
 */
public final class Registers {
    public static final int RAX = 0;
    public static final int RCX = 1;
    public static final int RDX = 2;
    public static final int RBX = 3;
    public static final int RSP = 4;
    public static final int RBP = 5;
    public static final int RSI = 6;
    public static final int RDI = 7;
    public static final int R8 = 8;
    public static final int R9 = 9;
    public static final int R10 = 10;
    public static final int R11 = 11;
    public static final int R12 = 12;
    public static final int R13 = 13;
    public static final int R14 = 14;
    public static final int R15 = 15;

    /** Number of general-purpose registers. */
    public static final int COUNT = 16;

    private final long[] values = new long[COUNT];

    /** Value of register {@code index}, 0 (RAX) to 15 (R15). */
    public long get(int index) {
        return values[index];
    }

    /** Sets register {@code index}, 0 (RAX) to 15 (R15). */
    public void set(int index, long value) {
        values[index] = value;
    }

    /** Sets every register to zero. */
    public Registers clear() {
        java.util.Arrays.fill(values, 0);
        return this;
    }

    /** Takes over every register of another file. */
    public void copyFrom(Registers other) {
        System.arraycopy(other.values, 0, values, 0, COUNT);
    }

    public long rax() {
        return values[RAX];
    }

    public long rcx() {
        return values[RCX];
    }

    public long rdx() {
        return values[RDX];
    }

    public long r8() {
        return values[R8];
    }

    public long r9() {
        return values[R9];
    }

    public long r10() {
        return values[R10];
    }

    public long r11() {
        return values[R11];
    }

    public long r12() {
        return values[R12];
    }

    public long r13() {
        return values[R13];
    }

    public Registers rax(long value) {
        values[RAX] = value;
        return this;
    }

    public Registers rcx(long value) {
        values[RCX] = value;
        return this;
    }

    public Registers rdx(long value) {
        values[RDX] = value;
        return this;
    }

    public Registers r8(long value) {
        values[R8] = value;
        return this;
    }

    public Registers r9(long value) {
        values[R9] = value;
        return this;
    }

    public Registers r10(long value) {
        values[R10] = value;
        return this;
    }

    public Registers r11(long value) {
        values[R11] = value;
        return this;
    }

    public Registers r12(long value) {
        values[R12] = value;
        return this;
    }

    public Registers r13(long value) {
        values[R13] = value;
        return this;
    }
}
