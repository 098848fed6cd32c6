// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static dev.seamlab.kvm.KvmRig.ok;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.Tdvmcall;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What comes out of KVM_RUN, and what the guest finds in its registers afterwards. */
@Timeout(60)
class ExitsTest {
    private static final long SHARED = 1L << 47;
    private static final long AT = 0x20_0000;

    private final KvmRig rig = new KvmRig();
    private KvmTdx vm;
    private KvmVcpu vcpu;

    @BeforeEach
    void build() {
        vm = rig.runnable(1);
        vcpu = vm.vcpus()[0];
    }

    @AfterEach
    void close() {
        rig.close();
    }

    private KvmRig.Call call(long... operands) {
        KvmRig.Call call = new KvmRig.Call(operands);
        vcpu.bindGuest(call);
        return call;
    }

    private void expectPowerOff() {
        assertThat(vcpu.run()).isInstanceOf(KvmExit.PortOut.class);
    }

    @Test
    void mapGpa_largeRange_comesInChunksOfTwoMebibytes() {
        KvmRig.Call call = call(Tdvmcall.MAP_GPA, SHARED | AT, 5L << 20);
        List<Long> sizes = new ArrayList<>();
        KvmExit exit = vcpu.run();
        while (exit instanceof KvmExit.MapGpa(long gpa, long size, boolean toShared)) {
            assertThat(toShared).isTrue();
            assertThat(gpa & SHARED).isZero();
            sizes.add(size);
            vcpu.completeMapGpa(vm.setMemoryAttributes(gpa, size, !toShared));
            exit = vcpu.run();
        }
        assertThat(sizes).containsExactly(2L << 20, 2L << 20, 1L << 20);
        assertThat(call.answer[Registers.R10]).isEqualTo(Tdvmcall.SUCCESS);
    }

    @Test
    void mapGpa_interrupted_tellsTheGuestToRetryWhereItStopped() {
        KvmRig.Call call = call(Tdvmcall.MAP_GPA, SHARED | AT, 4L << 20);
        assertThat(vcpu.run()).isInstanceOf(KvmExit.MapGpa.class);
        vcpu.completeMapGpa(Errno.OK);
        vcpu.requestExit();
        assertThat(vcpu.run()).isInstanceOf(KvmExit.Interrupted.class);
        vcpu.allowRun();
        expectPowerOff();
        assertThat(call.answer[Registers.R10]).isEqualTo(Tdvmcall.RETRY);
        assertThat(call.answer[Registers.R11]).isEqualTo(SHARED | AT + (2 << 20));
    }

    @Test
    void mapGpa_userSpaceSaysAgainOrNo_isRetryOrInvalidOperand() {
        KvmRig.Call again = call(Tdvmcall.MAP_GPA, AT, 4096);
        assertThat(vcpu.run()).isEqualTo(new KvmExit.MapGpa(AT, 4096, false));
        vcpu.completeMapGpa(Errno.EAGAIN);
        expectPowerOff();
        assertThat(again.answer[Registers.R10]).isEqualTo(Tdvmcall.RETRY);
        assertThat(again.answer[Registers.R11]).isEqualTo(AT);

        KvmRig.Call no = call(Tdvmcall.MAP_GPA, AT, 4096);
        assertThat(vcpu.run()).isInstanceOf(KvmExit.MapGpa.class);
        vcpu.completeMapGpa(Errno.EINVAL);
        expectPowerOff();
        assertThat(no.answer[Registers.R10]).isEqualTo(Tdvmcall.INVALID_OPERAND);
        assertThatThrownBy(() -> vcpu.completeMapGpa(Errno.OK))
                .isInstanceOf(IllegalStateException.class);
    }

    @Test
    void mapGpa_badRanges_neverReachUserSpace() {
        long[][] bad = {
            {AT, 0},
            {AT, -4096},
            {SHARED << 1, 4096},
            {SHARED - 4096, 8192},
        };
        for (long[] range : bad) {
            KvmRig.Call call = call(Tdvmcall.MAP_GPA, range[0], range[1]);
            expectPowerOff();
            assertThat(call.answer[Registers.R10]).isEqualTo(Tdvmcall.INVALID_OPERAND);
            assertThat(call.answer[Registers.R11]).isEqualTo(range[0]);
        }
        for (long[] range : new long[][] {{AT + 1, 4096}, {AT, 4097}}) {
            KvmRig.Call call = call(Tdvmcall.MAP_GPA, range[0], range[1]);
            expectPowerOff();
            assertThat(call.answer[Registers.R10]).isEqualTo(Tdvmcall.ALIGN_ERROR);
        }
        vm.exitOnMapGpa(false);
        KvmRig.Call call = call(Tdvmcall.MAP_GPA, AT, 4096);
        expectPowerOff();
        assertThat(call.answer[Registers.R10]).isEqualTo(Tdvmcall.SUBFUNC_UNSUPPORTED);
    }

    @Test
    void getQuote_goesToUserSpace_andUnansweredIsUnsupported() {
        KvmRig.Call call = call(Tdvmcall.GET_QUOTE, SHARED | AT, 8192);
        assertThat(vcpu.run()).isEqualTo(new KvmExit.GetQuote(AT, 8192));
        expectPowerOff();
        assertThat(call.answer[Registers.R10]).isEqualTo(Tdvmcall.SUBFUNC_UNSUPPORTED);

        KvmRig.Call answered = call(Tdvmcall.GET_QUOTE, SHARED | AT, 8192);
        assertThat(vcpu.run()).isInstanceOf(KvmExit.Tdx.class);
        vcpu.completeTdx(Tdvmcall.SUCCESS);
        expectPowerOff();
        assertThat(answered.answer[Registers.R10]).isEqualTo(Tdvmcall.SUCCESS);

        KvmRig.Call inPrivate = call(Tdvmcall.GET_QUOTE, AT, 8192);
        expectPowerOff();
        assertThat(inPrivate.answer[Registers.R10]).isEqualTo(Tdvmcall.INVALID_OPERAND);
        assertThatThrownBy(() -> vcpu.completeTdx(Tdvmcall.SUCCESS))
                .isInstanceOf(IllegalStateException.class);
    }

    @Test
    void getTdVmCallInfo_leafOneAlone_goesToUserSpace() {
        KvmRig.Call base = call(Tdvmcall.GET_TD_VMCALL_INFO, 0, 5, 5, 5);
        expectPowerOff();
        assertThat(base.answer[Registers.R10]).isEqualTo(Tdvmcall.SUCCESS);
        assertThat(base.answer[Registers.R11]).isZero();
        assertThat(base.answer[Registers.R14]).isZero();

        KvmRig.Call more = call(Tdvmcall.GET_TD_VMCALL_INFO, 1);
        assertThat(vcpu.run()).isEqualTo(new KvmExit.GetTdVmCallInfo(1));
        vcpu.completeTdx(Tdvmcall.SUCCESS, 3, 4);
        expectPowerOff();
        assertThat(more.answer[Registers.R11]).isEqualTo(3);
        assertThat(more.answer[Registers.R12]).isEqualTo(4);
        assertThat(more.answer[Registers.R13]).isZero();

        KvmRig.Call beyond = call(Tdvmcall.GET_TD_VMCALL_INFO, 2);
        expectPowerOff();
        assertThat(beyond.answer[Registers.R10]).isEqualTo(Tdvmcall.INVALID_OPERAND);
    }

    @Test
    void setupEventNotify_takesVectorsThatAreNoExceptions() {
        for (long vector : new long[] {31, 256, -1}) {
            KvmRig.Call call = call(Tdvmcall.SETUP_EVENT_NOTIFY_INTERRUPT, vector);
            expectPowerOff();
            assertThat(call.answer[Registers.R10]).isEqualTo(Tdvmcall.INVALID_OPERAND);
        }
        KvmRig.Call call = call(Tdvmcall.SETUP_EVENT_NOTIFY_INTERRUPT, 32);
        assertThat(vcpu.run()).isEqualTo(new KvmExit.SetupEventNotifyInterrupt(32));
        expectPowerOff();
        assertThat(call.answer[Registers.R10]).isEqualTo(Tdvmcall.SUBFUNC_UNSUPPORTED);
    }

    @Test
    void unknownCalls_areUnsupported() {
        KvmRig.Call call = call(0x10005, 1);
        expectPowerOff();
        assertThat(call.answer[Registers.R10]).isEqualTo(Tdvmcall.SUBFUNC_UNSUPPORTED);
    }

    @Test
    void fatalError_carriesSixteenRegisters() {
        call(Tdvmcall.REPORT_FATAL_ERROR, 0x77, 0x1313, 0x1414);
        assertThat(vcpu.run())
                .isInstanceOfSatisfying(
                        KvmExit.FatalError.class,
                        fatal -> {
                            assertThat(fatal.code()).isEqualTo(0x77);
                            assertThat(fatal.registers()).hasSize(16);
                            assertThat(fatal.registers().get(0)).isEqualTo(ExitReason.TDCALL);
                            assertThat(fatal.registers().get(4)).isZero();
                            assertThat(fatal.registers().get(Registers.R11))
                                    .isEqualTo(Tdvmcall.REPORT_FATAL_ERROR);
                            assertThat(fatal.registers().get(Registers.R12)).isEqualTo(0x77);
                            assertThat(fatal.registers().get(Registers.R14)).isEqualTo(0x1414);
                        });
    }

    @Test
    void memoryFault_attributeMismatch_saysHowTheGuestTouchedIt() {
        ok(vm.setMemoryAttributes(AT, 4096, false));
        KvmExit exit = KvmRig.run(vm, vcpu, "accept " + AT + "+4k 4k");
        assertThat(exit).isEqualTo(new KvmExit.MemoryFault(AT, true));
        assertThat(KvmRig.run(vm, vcpu, "touch " + 2 * AT + "+4k shared"))
                .isEqualTo(new KvmExit.MemoryFault(2 * AT, false));
    }

    @Test
    void tripleFault_isShutdown() {
        vcpu.bindGuest(cpu -> {
            var _ = cpu.vmExit(ExitReason.TRIPLE_FAULT, 0, 0, 0);
        });
        assertThat(vcpu.run()).isInstanceOf(KvmExit.Shutdown.class);
    }

    @Test
    void pendingPageTouched_isEioAndTheVmIsDead() {
        ok(vcpu.preFaultMemory(new PreFault(AT, Addresses.PAGE_SIZE, 0)));
        assertThat(KvmRig.run(vm, vcpu, "touch " + AT + "+4k"))
                .isInstanceOfSatisfying(
                        KvmExit.Failed.class,
                        failed -> assertThat(failed.errno()).isEqualTo(Errno.EIO));
        assertThat(vm.isDead()).isTrue();
    }

    @Test
    void r33_undAndGpOfSeamcall_areNotTakenForBusy() {
        // Made-up statuses of faults live in the low half; masked they must match nothing.
        for (long status : new long[] {0x8000_FF00_0000_0006L, 0x8000_FF00_0000_000DL}) {
            assertThat(StatusCode.OPERAND_BUSY.matches(status)).isFalse();
            assertThat(StatusCode.of(status)).isNull();
        }
        rig.faults.refuseNext(Leaf.MEM_PAGE_AUG, 0x8000_FF00_0000_000DL);
        assertThat(KvmRig.run(vm, vcpu, "accept " + AT + "+4k 4k"))
                .isInstanceOf(KvmExit.Failed.class);
        assertThat(vm.isDead()).isTrue();
    }
}
