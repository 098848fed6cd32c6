// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.conformance;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.StateProbe;
import dev.seamlab.seam.TestModule;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.TdParams;
import java.util.EnumSet;
import java.util.Random;
import java.util.Set;

/**
 * An endless stream of SEAMCALLs over a few TDs: mostly the sensible next step of a life, often
 * with one operand spoilt, sometimes anything at all. Same seed, same stream.
 */
final class RandomProgram {
    /**
     * 2M ranges that the program works in: the last three for 2M pages, the one before for pairs.
     */
    static final int RANGES = 8;

    private static final long BASE = TestModule.BASE;
    private static final int TDS = 3;
    private static final int CONTROL_PAGES = 24;
    private static final long PARAMS = TestModule.BUFFER + 0x10_000;
    private static final long SOURCE = TestModule.BUFFER + 0x20_000;
    private static final int PAIR_RANGE = 4;
    private static final int FIRST_LARGE = 5;
    private static final long[] SPOILT = {
        0,
        -1L,
        1,
        0x800,
        1L << 46,
        1L << 51,
        1L << 52,
        1L << 62,
        Long.MIN_VALUE,
        0x1000,
        BASE,
        BASE + 0x123,
        BASE + Addresses.RANGE_SIZE,
        TestModule.BUFFER,
        20 * Addresses.GIB
    };
    private static final Leaf[] LEAVES = AllowedStatuses.leaves().toArray(new Leaf[0]);

    private final TestModule module;
    private final Random random;
    private final Registers regs = new Registers();
    private final int errorPercent;
    private final Set<Leaf> succeeded = EnumSet.noneOf(Leaf.class);
    private int cpu;
    private Leaf leaf = Leaf.SYS_RD;

    RandomProgram(TestModule module, long seed, int errorPercent) {
        this.module = module;
        this.random = new Random(seed);
        this.errorPercent = errorPercent;
        writeParams();
    }

    static StateProbe probe(TestModule module) {
        return new StateProbe(module, BASE, RANGES + 1);
    }

    /** Leaves that answered SUCCESS so far. */
    Set<Leaf> succeeded() {
        return succeeded;
    }

    /** Makes the next call. Returns null if the answer may be, else what is wrong with it. */
    String step() {
        cpu = random.nextInt(2);
        regs.clear();
        if (random.nextInt(100) < 3) {
            anything();
        } else {
            sensible();
            if (random.nextInt(100) < errorPercent) {
                spoil();
            }
        }
        long rax = regs.rax();
        long status = module.call(cpu, regs);
        StatusCode code = StatusCode.of(status);
        Leaf called = Leaf.of((int) rax & 0xFFFF);
        boolean refused = StatusCode.OPERAND_INVALID.matches(status);
        // VP.ENTER answers with an exit reason where the guest ran.
        boolean ran = called == Leaf.VP_ENTER && status >>> 32 == 0;
        if (called != null && (status == 0 || ran)) {
            succeeded.add(called);
        }
        if (refused
                || ran
                || (called != null && code != null && AllowedStatuses.allows(called, code))) {
            return null;
        }
        return called + " answered 0x" + Long.toHexString(status) + " " + code;
    }

    private void anything() {
        for (int r = 0; r < Registers.COUNT; r++) {
            regs.set(r, random.nextBoolean() ? pick(SPOILT) : random.nextLong());
        }
        long rax = random.nextInt(4) == 0 ? random.nextLong() : random.nextInt(100);
        // Nothing comes after a shutdown.
        regs.rax((int) rax == Leaf.SYS_SHUTDOWN.number() ? 0 : rax);
    }

    private void spoil() {
        int[] operands = {
            Registers.RCX,
            Registers.RDX,
            Registers.R8,
            Registers.R9,
            Registers.R12,
            Registers.R13,
            Registers.RAX
        };
        int operand = operands[random.nextInt(operands.length)];
        if (operand == Registers.RAX) {
            regs.rax(regs.rax() | 1L << (16 + random.nextInt(3)));
            return;
        }
        long value = regs.get(operand);
        regs.set(
                operand,
                switch (random.nextInt(4)) {
                    case 0 -> pick(SPOILT);
                    case 1 -> value ^ 1L << spoiltBit();
                    case 2 -> value + Addresses.PAGE_SIZE;
                    default -> value + Addresses.RANGE_SIZE;
                });
    }

    /** Not one of those that lead to memory of the region beyond the window that is looked at. */
    private int spoiltBit() {
        int bit = random.nextInt(56);
        return bit < 24 ? bit : bit + 8;
    }

    private void sensible() {
        int td = random.nextInt(TDS);
        leaf = LEAVES[random.nextInt(LEAVES.length)];
        if (leaf == Leaf.SYS_SHUTDOWN || (isEnd(leaf) && random.nextInt(40) != 0)) {
            leaf = Leaf.MEM_PAGE_AUG;
        }
        regs.rax(leaf.number());
        long tdr = tdr(td);
        switch (leaf) {
            case MNG_CREATE -> regs.rcx(tdr).rdx(0x21 + td);
            case MNG_ADDCX -> regs.rcx(control(td)).rdx(tdr);
            case MNG_INIT -> regs.rcx(tdr).rdx(PARAMS + TdParams.SIZE * (long) random.nextInt(2));
            case MNG_RD -> regs.rcx(tdr).rdx(0x9010_0002_0000_0004L);
            case MNG_WR -> regs.rcx(tdr).rdx(0x9110_0003_0000_0011L).r8(20_000).r9(-1);
            case VP_CREATE -> regs.rcx(tdvpr(td)).rdx(tdr);
            case VP_ADDCX -> regs.rcx(control(td)).rdx(tdvpr(td));
            case VP_INIT ->
                    regs.rcx(tdvpr(td)).r8(random.nextInt(3)).rax(leaf.rax(random.nextInt(2)));
            case VP_FLUSH, VP_ENTER -> regs.rcx(tdvpr(td));
            case VP_RD -> regs.rcx(tdvpr(td)).rdx(0xA020_0002_0000_0002L);
            case VP_WR -> regs.rcx(tdvpr(td)).rdx(0x2020_0000_0000_000BL).r8(1).r9(-1);
            case MR_EXTEND -> regs.rcx(PageInfo.address(info(0))).rdx(tdr);
            case MEM_RD, MEM_WR -> regs.rcx(PageInfo.address(info(0)) + 8).rdx(tdr).r8(7);
            case MEM_PAGE_ADD -> regs.rcx(info(0)).rdx(tdr).r8(data(td)).r9(SOURCE);
            case MEM_PAGE_AUG -> {
                int level = random.nextInt(4) == 0 ? 1 : 0;
                regs.rcx(info(level)).rdx(tdr).r8(level == 1 ? large(td) : data(td));
            }
            case MEM_SEPT_ADD ->
                    regs.rcx(info(1 + random.nextInt(3))).rdx(tdr | random.nextInt(2)).r8(sept(td));
            case MEM_SEPT_REMOVE, MEM_SEPT_RD -> regs.rcx(info(1 + random.nextInt(3))).rdx(tdr);
            case MEM_PAGE_RELOCATE -> regs.rcx(info(0)).rdx(tdr).r8(data(td));
            case MEM_PAGE_REMOVE, MEM_RANGE_BLOCK, MEM_RANGE_UNBLOCK ->
                    regs.rcx(info(random.nextInt(2))).rdx(tdr);
            case MEM_PAGE_DEMOTE -> regs.rcx(info(1)).rdx(tdr).r8(sept(td)).r12(pair()).r13(pair());
            case MEM_PAGE_PROMOTE -> regs.rcx(info(1)).rdx(tdr);
            case PHYMEM_PAMT_ADD -> regs.rcx(range()).rdx(pair()).r8(pair());
            case PHYMEM_PAMT_REMOVE -> regs.rcx(range());
            case PHYMEM_PAGE_RDMD, PHYMEM_PAGE_WBINVD -> regs.rcx(data(td));
            case PHYMEM_PAGE_RECLAIM -> regs.rcx(anyPage(td));
            case PHYMEM_CACHE_WB -> regs.rcx(random.nextInt(20) == 0 ? 1 : 0);
            case SYS_RDALL -> regs.rdx(SOURCE).r8(-1);
            case SYS_INFO -> regs.rcx(SOURCE).rdx(1024).r8(SOURCE + 1024).r9(32);
            case SYS_TDMR_INIT -> regs.rcx(BASE);
            default -> regs.rcx(tdr);
        }
    }

    private static boolean isEnd(Leaf leaf) {
        return leaf == Leaf.MNG_VPFLUSHDONE || leaf == Leaf.MR_FINALIZE;
    }

    private long info(int level) {
        long gpa =
                random.nextInt(3) * Addresses.RANGE_SIZE + random.nextInt(4) * Addresses.PAGE_SIZE;
        return PageInfo.ofGpa(Addresses.alignDown(gpa, PageInfo.sizeOf(level)), level);
    }

    private static long tdr(int td) {
        return BASE + td * 0x1000L;
    }

    private static long tdvpr(int td) {
        return BASE + (TDS + td) * 0x1000L;
    }

    private long control(int td) {
        return BASE + (16 + td * CONTROL_PAGES + random.nextInt(CONTROL_PAGES)) * 0x1000L;
    }

    private long sept(int td) {
        return BASE + Addresses.RANGE_SIZE + (td * 8 + random.nextInt(8)) * 0x1000L;
    }

    private long data(int td) {
        return BASE + 2 * Addresses.RANGE_SIZE + (td * 16 + random.nextInt(16)) * 0x1000L;
    }

    private long large(int td) {
        return BASE + (FIRST_LARGE + td) * Addresses.RANGE_SIZE;
    }

    private long pair() {
        return BASE + PAIR_RANGE * Addresses.RANGE_SIZE + random.nextInt(24) * 0x1000L;
    }

    private long range() {
        return PageInfo.ofHpa(
                BASE + random.nextInt(RANGES) * Addresses.RANGE_SIZE, PageInfo.LEVEL_2M);
    }

    private long anyPage(int td) {
        return switch (random.nextInt(6)) {
            case 0 -> tdr(td);
            case 1 -> tdvpr(td);
            case 2 -> control(td);
            case 3 -> sept(td);
            case 4 -> large(td) + (random.nextBoolean() ? 0 : random.nextInt(512) * 0x1000L);
            default -> data(td);
        };
    }

    private long pick(long[] values) {
        return values[random.nextInt(values.length)];
    }

    private void writeParams() {
        var memory = module.machine().memory();
        for (int i = 0; i < 2; i++) {
            long at = PARAMS + TdParams.SIZE * (long) i;
            memory.writeLong(at + TdParams.ATTRIBUTES, i);
            memory.writeLong(at + TdParams.XFAM, 0x3);
            memory.writeShort(at + TdParams.MAX_VCPUS, 2);
            memory.writeLong(at + TdParams.EPTP_CONTROLS, TdParams.eptpControls(4));
            memory.writeShort(at + TdParams.TSC_FREQUENCY, 84);
        }
    }
}
