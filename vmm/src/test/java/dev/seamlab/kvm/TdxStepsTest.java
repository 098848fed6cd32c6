// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static dev.seamlab.kvm.KvmRig.CONFIG;
import static dev.seamlab.kvm.KvmRig.ok;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The steps of a VM, and what all steps share: states, argument checks and results. */
@Timeout(60)
class TdxStepsTest {
    private static final long PAGE = Addresses.PAGE_SIZE;
    private static final long BUSY = StatusCode.OPERAND_BUSY.with(Operand.TDR);

    private final KvmRig rig = new KvmRig();

    @AfterEach
    void close() {
        rig.close();
    }

    private static TdxCmd cmd(TdxStep step, @Nullable Object data) {
        return TdxCmd.of(step, data);
    }

    private static TdxCmd flagged(TdxStep step, @Nullable Object data) {
        return new TdxCmd(step.id(), 2, data);
    }

    // ------------------------------------------------------------------ envelope

    @Test
    void envelope_onTheVm_isCheckedBeforeAnythingElse() {
        KvmTdx vm = rig.vm(1);
        assertThat(vm.memoryEncryptOp(null)).isEqualTo(Errno.EFAULT);
        for (TdxStep step : TdxStep.values()) {
            assertThat(vm.memoryEncryptOp(cmd(step, null).hwError(1))).isEqualTo(Errno.EINVAL);
        }
        assertThat(vm.memoryEncryptOp(new TdxCmd(7, 0, null))).isEqualTo(Errno.EINVAL);
        assertThat(vm.memoryEncryptOp(new TdxCmd(-1, 0, null))).isEqualTo(Errno.EINVAL);
        // Steps of a vCPU do not exist on the VM.
        for (TdxStep step :
                List.of(TdxStep.INIT_VCPU, TdxStep.INIT_MEM_REGION, TdxStep.GET_CPUID)) {
            assertThat(vm.memoryEncryptOp(cmd(step, null))).isEqualTo(Errno.EINVAL);
        }
    }

    @Test
    void envelope_onAVcpu_isCheckedBeforeAnythingElse() {
        KvmVcpu vcpu = rig.initialised(1).vcpus()[0];
        assertThat(vcpu.memoryEncryptOp(null)).isEqualTo(Errno.EFAULT);
        assertThat(vcpu.memoryEncryptOp(cmd(TdxStep.GET_CPUID, null).hwError(1)))
                .isEqualTo(Errno.EINVAL);
        assertThat(vcpu.memoryEncryptOp(new TdxCmd(7, 0, null))).isEqualTo(Errno.EINVAL);
        for (TdxStep step : List.of(TdxStep.CAPABILITIES, TdxStep.INIT_VM, TdxStep.FINALIZE_VM)) {
            assertThat(vcpu.memoryEncryptOp(cmd(step, null))).isEqualTo(Errno.EINVAL);
        }
    }

    @Test
    void everyStep_onABuggedVm_isEio() {
        KvmTdx vm = rig.initialised(1);
        vm.bug(Leaf.MEM_TRACK, StatusCode.OPERAND_INVALID.word());
        for (TdxStep step : TdxStep.values()) {
            assertThat(vm.memoryEncryptOp(cmd(step, null).hwError(1))).isEqualTo(Errno.EIO);
            assertThat(vm.vcpus()[0].memoryEncryptOp(null)).isEqualTo(Errno.EIO);
        }
        assertThat(vm.setMemoryAttributes(0, PAGE, true)).isEqualTo(Errno.EIO);
        assertThat(vm.setUserMemoryRegion(UserMemoryRegion.delete(0))).isEqualTo(Errno.EIO);
        assertThat(vm.createVcpu()).isNull();
    }

    // ------------------------------------------------------------------ CAPABILITIES

    @Test
    void capabilities_saysWhatATdMayBeGiven_atAnyTime() {
        KvmTdx vm = rig.vm(1);
        int rows = rig.host.info().cpuidConfig().size();
        assertThat(vm.memoryEncryptOp(flagged(TdxStep.CAPABILITIES, new Capabilities(rows))))
                .isEqualTo(Errno.EINVAL);
        assertThat(vm.memoryEncryptOp(cmd(TdxStep.CAPABILITIES, "no such memory")))
                .isEqualTo(Errno.EFAULT);
        assertThat(vm.memoryEncryptOp(cmd(TdxStep.CAPABILITIES, new Capabilities(rows - 1))))
                .isEqualTo(Errno.E2BIG);
        Capabilities found = new Capabilities(rows + 1);
        ok(vm.memoryEncryptOp(cmd(TdxStep.CAPABILITIES, found)));
        assertThat(found.attributes()).isEqualTo(1L << 28 | 1);
        assertThat(found.xfam()).isEqualTo(rig.host.info().xfamFixed0());
        // Mainline's init_kvm_tdx_caps: SetupEventNotifyInterrupt for user space, nothing else.
        assertThat(found.userTdvmcalls()).isEqualTo(new Capabilities.TdvmcallInfo(0b10, 0));
        assertThat(found.kernelTdvmcalls()).isEqualTo(new Capabilities.TdvmcallInfo(0, 0));
        assertThat(found.cpuid().nent()).isEqualTo(rows);
        assertThat(found.cpuid().entries())
                .filteredOn(entry -> entry.function() == 0x8000_0008)
                .singleElement()
                .satisfies(entry -> assertThat(entry.eax()).isEqualTo(0xFF00FF));
    }

    // ------------------------------------------------------------------ INIT_VM

    private static InitVm with(long attributes, long xfam, CpuidEntry... cpuid) {
        return new InitVm(attributes, xfam, List.of(cpuid));
    }

    private static CpuidEntry leaf(int function, int index, int eax, int ebx) {
        return new CpuidEntry(function, index, true, eax, ebx, 0, 0);
    }

    static Stream<Arguments> badTds() {
        CpuidEntry width = CpuidEntry.addressWidth(48);
        return Stream.of(
                Arguments.of("nothing there", "?", Errno.EFAULT),
                Arguments.of(
                        "too many CPUID entries",
                        new InitVm(0, 3, Collections.nCopies(257, width)),
                        Errno.E2BIG),
                Arguments.of("reserved word", with(0, 3, width).reserved(1), Errno.EINVAL),
                Arguments.of("attribute", with(1L << 63, 3, width), Errno.EINVAL),
                Arguments.of("feature", with(0, 1L << 62, width), Errno.EINVAL),
                Arguments.of("no width", with(0, 3), Errno.EINVAL),
                Arguments.of("width 47", with(0, 3, CpuidEntry.addressWidth(47)), Errno.EINVAL),
                Arguments.of("unknown leaf", with(0, 3, width, leaf(2, 0, 0, 0)), Errno.EINVAL),
                Arguments.of("a leaf twice", with(0, 3, width, width), Errno.EINVAL),
                Arguments.of("TSX", with(0, 3, width, leaf(7, 0, 0, 1 << 11)), Errno.EINVAL));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("badTds")
    void initVm_badArguments_areRefusedBeforeTheModuleIsAsked(String what, Object data, int errno) {
        KvmTdx vm = rig.vm(1);
        long calls = rig.faults.calls();
        TdxCmd cmd = cmd(TdxStep.INIT_VM, data);
        assertThat(vm.memoryEncryptOp(cmd)).as(what).isEqualTo(errno);
        assertThat(cmd.hwError()).isZero();
        assertThat(rig.faults.calls()).isEqualTo(calls);
        assertThat(rig.host.keyIds().used()).isZero();
        ok(vm.initVm(CONFIG));
    }

    @Test
    void initVm_flagsOrTwice_isEinval() {
        KvmTdx vm = rig.vm(1);
        assertThat(vm.memoryEncryptOp(flagged(TdxStep.INIT_VM, InitVm.of(CONFIG))))
                .isEqualTo(Errno.EINVAL);
        ok(vm.initVm(CONFIG));
        assertThat(vm.initVm(CONFIG)).isEqualTo(Errno.EINVAL);
    }

    @Test
    void initVm_whatTheModuleRefuses_isEinvalWithItsStatusAndMayBeTriedAgain() {
        KvmTdx vm = rig.vm(1);
        // A family, model and stepping that this CPU is not.
        InitVm odd = with(0, 3, CpuidEntry.addressWidth(48), leaf(1, 0, 0x12345, 0));
        TdxCmd cmd = cmd(TdxStep.INIT_VM, odd);
        assertThat(vm.memoryEncryptOp(cmd)).isEqualTo(Errno.EINVAL);
        assertThat(cmd.hwError()).isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.CPUID_CONFIG));
        assertThat(vm.isDead()).isFalse();
        assertThat(rig.host.keyIds().used()).isZero();
        assertThat(rig.used()).isEmpty();
        ok(vm.initVm(CONFIG));
    }

    @Test
    void initVm_noEntropy_isEagainAndMayBeTriedAgain() {
        for (Leaf leaf : List.of(Leaf.MNG_CREATE, Leaf.MNG_ADDCX)) {
            KvmTdx vm = rig.vm(1);
            // The wrapper itself asks ten times.
            rig.faults.refuse(leaf, 1, 10, StatusCode.RND_NO_ENTROPY.word());
            assertThat(vm.initVm(CONFIG)).isEqualTo(Errno.EAGAIN);
            assertThat(rig.used()).isEmpty();
            ok(vm.initVm(CONFIG));
            assertThat(vm.destroy().isClean()).isTrue();
            rig.faults.clear();
        }
    }

    @Test
    void initVm_keyGenerationFails_isRepeated() {
        KvmTdx vm = rig.vm(1);
        rig.faults.refuse(Leaf.MNG_KEY_CONFIG, 1, 50, StatusCode.KEY_GENERATION_FAILED.word());
        ok(vm.initVm(CONFIG));
    }

    @Test
    void r43_initVmFailsAnywhere_donatedPagesAreReclaimedAndOthersFreed() {
        long calls = rig.faults.calls();
        ok(rig.vm(1).initVm(CONFIG));
        long points = rig.faults.calls() - calls;
        assertThat(rig.vms.removeFirst().destroy().isClean()).isTrue();
        assertThat(points).isGreaterThan(5);
        for (long nth = 1; nth <= points; nth++) {
            KvmTdx vm = rig.vm(1);
            rig.faults.refuse(null, nth, 1, StatusCode.TD_FATAL.word());
            assertThat(vm.initVm(CONFIG)).as("call " + nth).isNotEqualTo(Errno.OK);
            assertThat(rig.used()).as("call " + nth).isEmpty();
            assertThat(rig.host.keyIds().used()).isZero();
            rig.faults.clear();
            assertThat(rig.audit()).as("call " + nth).isEmpty();
        }
    }

    /** The build's own failure, and what is answered when its KeyID is asked back. */
    private int buildWithoutWayBack(KvmTdx vm, Leaf leaf, long refusal) {
        rig.faults.refuseNext(Leaf.MNG_INIT, StatusCode.OPERAND_INVALID.with(Operand.RCX));
        rig.faults.refuseNext(leaf, refusal);
        return vm.initVm(CONFIG);
    }

    @ParameterizedTest
    @CsvSource({
        "MNG_VPFLUSHDONE, TD_FATAL, true",
        "MNG_VPFLUSHDONE, OPERAND_BUSY, true",
        "MNG_VPFLUSHDONE, FLUSHVP_NOT_DONE, true",
        "PHYMEM_CACHE_WB, TD_FATAL, false",
        "MNG_KEY_FREEID, TD_FATAL, false",
        "MNG_KEY_FREEID, OPERAND_BUSY, false",
    })
    void initVmFails_andItsKeyIdIsNotGivenBack_destroyAsksAgainAndSaysWhatCameOfIt(
            Leaf leaf, StatusCode refusal, boolean comesBack) {
        KvmTdx vm = rig.vm(1);
        assertThat(buildWithoutWayBack(vm, leaf, refusal.word())).isEqualTo(Errno.EINVAL);
        assertThat(vm.lastAnswer().leaf()).isEqualTo(Leaf.MNG_INIT);
        long held = 1L + rig.host.info().tdcsPages();
        assertThat(rig.used()).containsEntry(PageUse.CONTROL, held);
        assertThat(rig.host.keyIds().used()).isEqualTo(1);
        assertThat(rig.log).anyMatch(line -> line.endsWith("is leaked"));
        assertThat(vm.isDead()).isTrue();
        assertThat(vm.initVm(CONFIG)).as("a second build").isEqualTo(Errno.EIO);
        assertThat(rig.audit()).isEmpty();

        Teardown.Report report = vm.destroy();
        assertThat(report)
                .isEqualTo(
                        comesBack ? Teardown.Report.CLEAN : new Teardown.Report(held, true, true));
        assertThat(vm.destroy()).as("said again").isEqualTo(report);
        assertThat(rig.host.keyIds().used()).isEqualTo(comesBack ? 0 : 1);
        assertThat(rig.used().getOrDefault(PageUse.LEAKED, 0L)).isEqualTo(report.leakedPages());
        assertThat(vm.stats().get(Counter.LEAKED_PAGES)).isEqualTo(report.leakedPages());
        assertThat(rig.audit()).isEmpty();
    }

    @Test
    void initVmFails_andAPageIsNotGivenBack_destroyReportsIt() {
        KvmTdx vm = rig.vm(1);
        int result = buildWithoutWayBack(vm, Leaf.PHYMEM_PAGE_RECLAIM, StatusCode.TD_FATAL.word());
        assertThat(result).isEqualTo(Errno.EINVAL);
        // The first of the TDCS, and the TDR, which the module keeps as long as it has one.
        ok(vm.initVm(CONFIG));
        assertThat(vm.destroy()).isEqualTo(new Teardown.Report(2, false, true));
        assertThat(rig.used()).containsEntry(PageUse.LEAKED, 2L);
    }

    @Test
    void terminate_keyIdRefused_destroyAsksAgain() {
        KvmTdx vm = rig.runnable(2);
        rig.faults.refuseNext(Leaf.MNG_VPFLUSHDONE, StatusCode.TD_FATAL.word());
        ok(vm.terminate());
        assertThat(vm.isBugged()).isTrue();
        assertThat(vm.terminate()).isEqualTo(Errno.EIO);
        assertThat(rig.host.keyIds().used()).isEqualTo(1);
        assertThat(vm.destroy().isClean()).isTrue();
        assertThat(rig.host.keyIds().used()).isZero();
    }

    @Test
    void r43_initVmWithoutMemory_givesEverythingBack() {
        int[] allowed = new int[1];
        int[] seen = new int[1];
        rig.host.pages().setGate((use, pages) -> seen[0]++ < allowed[0]);
        int result;
        do {
            seen[0] = 0;
            KvmTdx vm = rig.vm(1);
            result = vm.initVm(CONFIG);
            if (result != Errno.OK) {
                assertThat(result).isEqualTo(Errno.ENOMEM);
                assertThat(rig.used()).isEmpty();
                assertThat(rig.host.keyIds().used()).isZero();
            }
            allowed[0]++;
        } while (result != Errno.OK);
        assertThat(allowed[0]).isGreaterThan(rig.host.info().tdcsPages());
        rig.host.pages().setGate((use, pages) -> true);
    }

    @Test
    void initVm_withoutAKeyId_isEnospcUntilATdIsGone() {
        List<KvmTdx> tds = new ArrayList<>();
        for (int i = 0; i < rig.host.keyIds().total(); i++) {
            KvmTdx vm = rig.vm(1);
            ok(vm.initVm(CONFIG));
            tds.add(vm);
        }
        KvmTdx last = rig.vm(1);
        assertThat(last.initVm(CONFIG)).isEqualTo(Errno.ENOSPC);
        assertThat(tds.getFirst().destroy().isClean()).isTrue();
        ok(last.initVm(CONFIG));
    }

    // ------------------------------------------------------------------ FINALIZE_VM

    @Test
    void finalizeVm_busy_isEbusyWithTheStatusAndMayBeTriedAgain() {
        KvmTdx vm = rig.initialised(1);
        rig.faults.refuseNext(Leaf.MR_FINALIZE, BUSY);
        TdxCmd first = cmd(TdxStep.FINALIZE_VM, null);
        assertThat(vm.memoryEncryptOp(first)).isEqualTo(Errno.EBUSY);
        assertThat(first.hwError()).isEqualTo(BUSY);
        assertThat(vm.life().isPreFaultAllowed()).isFalse();
        TdxCmd second = cmd(TdxStep.FINALIZE_VM, null);
        ok(vm.memoryEncryptOp(second));
        assertThat(second.hwError()).isEqualTo(Status.SUCCESS);
        assertThat(vm.life().isPreFaultAllowed()).isTrue();
        assertThat(vm.finalizeVm()).isEqualTo(Errno.EINVAL);
    }

    @Test
    void finalizeVm_beforeInit_isEinval_andRefused_isEio() {
        assertThat(rig.vm(1).finalizeVm()).isEqualTo(Errno.EINVAL);
        KvmTdx vm = rig.initialised(1);
        rig.faults.refuseNext(Leaf.MR_FINALIZE, StatusCode.NO_VCPUS.word());
        assertThat(vm.finalizeVm()).isEqualTo(Errno.EIO);
        assertThat(vm.isDead()).isTrue();
        assertThat(rig.log).anyMatch(line -> line.contains("TDH.MR.FINALIZE"));
    }

    // ------------------------------------------------------------------ TERMINATE_VM

    @Test
    void r44_terminate_releasesTheKeyIdAndMemoryIsReclaimedAfterwards() {
        KvmTdx vm = rig.runnable(2);
        KvmRig.run(vm, vm.vcpus()[0], "accept 0x200000+64k 4k");
        long mapped = vm.stats().get(KvmStats.Counter.PRIVATE_PAGES);
        ok(vm.terminate());
        assertThat(rig.host.keyIds().used()).isZero();
        assertThat(vm.isDead()).isTrue();
        assertThat(rig.audit()).isEmpty();
        assertThat(vm.vcpus()[0].run()).isInstanceOf(KvmExit.Failed.class);
        ok(vm.terminate()); // there is no KeyID any more to release
        assertThat(vm.finalizeVm()).isEqualTo(Errno.EIO);

        // A hole punched now cannot be blocked and tracked any more.
        long blocks = rig.faults.calls(Leaf.MEM_RANGE_BLOCK);
        long reclaims = rig.faults.calls(Leaf.PHYMEM_PAGE_RECLAIM);
        ok(vm.punch(0x200000, 32 << 10, true));
        assertThat(rig.faults.calls(Leaf.MEM_RANGE_BLOCK)).isEqualTo(blocks);
        assertThat(rig.faults.calls(Leaf.PHYMEM_PAGE_RECLAIM)).isEqualTo(reclaims + 8);
        assertThat(vm.stats().get(KvmStats.Counter.PRIVATE_PAGES)).isEqualTo(mapped - 8);
        assertThat(rig.audit()).isEmpty();
        assertThat(vm.destroy().isClean()).isTrue();
        assertThat(rig.used()).isEmpty();
    }

    @Test
    void terminate_whileAVcpuRuns_isEbusy() throws Exception {
        KvmTdx vm = rig.runnable(1);
        KvmVcpu vcpu = vm.vcpus()[0];
        Thread thread = Thread.ofPlatform().start(() -> KvmRig.run(vm, vcpu, "spin 1000000000000"));
        while (vm.stats().get(KvmStats.Counter.TD_EXITS) == 0
                && rig.faults.calls(Leaf.VP_ENTER) == 0) {
            Thread.onSpinWait();
        }
        assertThat(vm.terminate()).isEqualTo(Errno.EBUSY);
        assertThat(vm.isDead()).isFalse();
        vcpu.requestExit();
        thread.join();
        ok(vm.terminate());
    }

    @Test
    void terminate_ofAVmThatIsOnlyDead_releasesItsKeyId_andNothingElseIsServed() {
        KvmTdx vm = rig.runnable(1);
        vm.die();
        assertThat(vm.vcpus()[0].memoryEncryptOp(cmd(TdxStep.TERMINATE_VM, null)))
                .isEqualTo(Errno.EINVAL);
        assertThat(vm.setMemoryAttributes(0, PAGE, true)).isEqualTo(Errno.EIO);
        assertThat(vm.finalizeVm()).isEqualTo(Errno.EIO);
        ok(vm.terminate());
        assertThat(rig.host.keyIds().used()).isZero();
        assertThat(rig.audit()).isEmpty();
        assertThat(vm.destroy().isClean()).isTrue();
    }

    @Test
    void terminate_beforeInit_releasesNothing() {
        KvmTdx vm = rig.vm(1);
        ok(vm.terminate());
        assertThat(vm.initVm(CONFIG)).isEqualTo(Errno.EIO);
    }
}
