// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.conformance;

import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.TestModule;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.TdParams;
import java.util.Arrays;

/**
 * Fuzz target: a TD_PARAMS image for TDH.MNG.INIT. It is taken, and then it says what it must say
 * and the TD can be given a vCPU, finalised and entered; or refused, and then nothing has changed.
 */
public final class TdParamsFuzz {
    private static final long PARAMS = TestModule.BUFFER + 0x1_8000;
    private static final long ATTRIBUTES_FIELD = 0x1110_0003_0000_0000L;
    private static final long XFAM_FIELD = 0x1110_0003_0000_0001L;

    private final World world = new World(false);
    private final byte[] image;

    private TdParamsFuzz(byte[] bytes) {
        image = Arrays.copyOf(bytes, TdParams.SIZE);
    }

    /** Called by the fuzzer, and by the test that runs the kept inputs. */
    public static void fuzzerTestOneInput(byte[] bytes) {
        new TdParamsFuzz(bytes).run();
    }

    private void run() {
        PhysicalMemory memory = world.module.machine().memory();
        memory.write(PARAMS, image, 0, image.length);
        long td = world.value("UNINIT");
        long before = world.probe.digest();
        long status = world.module.call(Leaf.MNG_INIT, td, PARAMS, 0);
        StatusCode code = StatusCode.of(status);
        if (code == null || !AllowedStatuses.allows(Leaf.MNG_INIT, code)) {
            throw new AssertionError("MNG.INIT answered " + Status.show(status));
        }
        if (status != Status.SUCCESS) {
            check(world.probe.digest() == before, "a refused MNG.INIT changed something");
            return;
        }
        checkImage(memory, td);
        live(td);
        check(world.probe.violations().isEmpty(), world.probe.violations().toString());
    }

    /** What no TD may be, typed in from the facts (module ABI section 9). */
    private void checkImage(PhysicalMemory memory, long td) {
        checkZero(TdParams.RESERVED0, TdParams.RESERVED0_BYTES);
        checkZero(TdParams.RESERVED1, TdParams.RESERVED1_BYTES);
        checkZero(TdParams.RESERVED2, TdParams.RESERVED2_BYTES);
        checkZero(TdParams.RESERVED3, TdParams.RESERVED3_BYTES);
        long xfam = memory.readLong(PARAMS + TdParams.XFAM);
        check((xfam & 3) == 3, "XFAM without x87 and SSE");
        check(field(td, XFAM_FIELD) == xfam, "XFAM reads back as something else");
        check(
                field(td, ATTRIBUTES_FIELD) == memory.readLong(PARAMS + TdParams.ATTRIBUTES),
                "ATTRIBUTES read back as something else");
        int vcpus = memory.readShort(PARAMS + TdParams.MAX_VCPUS);
        check(vcpus > 0, "no vCPU allowed");
        int tsc = memory.readShort(PARAMS + TdParams.TSC_FREQUENCY);
        check(tsc >= 4 && tsc <= 400, "TSC frequency " + tsc);
        long levels = (memory.readLong(PARAMS + TdParams.EPTP_CONTROLS) >>> 3 & 7) + 1;
        check(levels == 4 || levels == 5, levels + " levels");
    }

    private void checkZero(int from, int bytes) {
        for (int i = from; i < from + bytes; i++) {
            check(image[i] == 0, "reserved byte " + i + " is set");
        }
    }

    private long field(long td, long field) {
        Registers regs = new Registers().rax(Leaf.MNG_RD.number()).rcx(td).rdx(field);
        ok("MNG.RD", world.module.call(regs));
        return regs.r8();
    }

    private void live(long td) {
        long tdvpr = world.page();
        ok("VP.CREATE", world.module.call(Leaf.VP_CREATE, tdvpr, td, 0));
        for (int i = 0; i < 5; i++) {
            ok("VP.ADDCX", world.module.call(Leaf.VP_ADDCX, world.page(), tdvpr, 0));
        }
        ok("VP.INIT", world.module.call(Leaf.VP_INIT, tdvpr, 0, 0));
        ok("MR.FINALIZE", world.module.call(Leaf.MR_FINALIZE, td, 0, 0));
        Registers regs = new Registers().rax(Leaf.VP_ENTER.number()).rcx(tdvpr);
        long status = world.module.call(regs);
        check(status >>> 32 == 0, "VP.ENTER answered " + Status.show(status));
    }

    private static void ok(String what, long status) {
        check(status == Status.SUCCESS, what + " answered " + Status.show(status));
    }

    private static void check(boolean holds, String otherwise) {
        if (!holds) {
            throw new AssertionError(otherwise);
        }
    }
}
