// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static dev.seamlab.kvm.KvmRig.CONFIG;
import static dev.seamlab.kvm.KvmRig.MEMORY;
import static dev.seamlab.kvm.KvmRig.ok;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.fault.SeamcallFaults;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Creating vCPUs and the steps that are called on one: states, argument checks and results. */
@Timeout(60)
class VcpuStepsTest {
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

    // ------------------------------------------------------------------ vCPUs

    @Test
    void createVcpu_outsideInitialised_orOneTooMany_isRefused() {
        KvmTdx vm = rig.vm(1);
        assertThat(vm.vcpuTable().begin()).isEqualTo(Errno.EIO);
        ok(vm.initVm(CONFIG));
        assertThat(vm.createVcpu()).isNotNull();
        assertThat(vm.vcpuTable().begin()).isEqualTo(Errno.EINVAL);
    }

    @Test
    void r41_stepWhileAVcpuIsCreated_isEbusy() {
        KvmTdx two = rig.vm(2);
        ok(two.initVm(CONFIG));
        KvmVcpu first = KvmRig.vcpu(two);
        ok(two.vcpuTable().begin());
        assertThat(first.init(0)).isEqualTo(Errno.EBUSY);
        assertThat(two.finalizeVm()).isEqualTo(Errno.EBUSY);
        assertThat(first.memoryEncryptOp(cmd(TdxStep.GET_CPUID, new CpuidList(1))))
                .isEqualTo(Errno.EBUSY);
        KvmVcpu second = two.vcpuTable().end();
        ok(first.init(0));
        ok(second.init(0));
        ok(two.finalizeVm());
    }

    @Test
    void r42_vcpuCreationFailsHalfWay_leavesTheOthersAlone() {
        KvmTdx vm = rig.vm(2);
        ok(vm.initVm(CONFIG));
        ok(vm.vcpuTable().begin());
        vm.vcpuTable().abandon();
        KvmVcpu first = KvmRig.vcpu(vm);
        KvmVcpu second = KvmRig.vcpu(vm);
        assertThat(first.index()).isZero();
        assertThat(second.index()).isEqualTo(1);
        ok(first.init(0));
        ok(second.init(0));
        ok(vm.finalizeVm());
        assertThat(vm.destroy().isClean()).isTrue();
    }

    /**
     * What hangs on a CPU, half-made vCPUs included, is gone through when that CPU goes offline.
     */
    @Test
    void r42_cpuGoesOfflineAfterAVcpuWasLeftHalfMade_anywhere() {
        KvmTdx sample = rig.vm(2);
        ok(sample.initVm(CONFIG));
        ok(KvmRig.vcpu(sample).init(0));
        long before = rig.faults.calls();
        ok(KvmRig.vcpu(sample).init(0));
        long points = rig.faults.calls() - before;
        assertThat(sample.destroy().isClean()).isTrue();
        for (long nth = 1; nth <= points; nth++) {
            String where = "call " + nth + " of INIT_VCPU refused";
            KvmTdx vm = rig.vm(2);
            ok(vm.initVm(CONFIG));
            KvmVcpu whole = KvmRig.vcpu(vm);
            ok(whole.init(0));
            KvmVcpu half = KvmRig.vcpu(vm);
            rig.faults.refuse(null, nth, 1, StatusCode.TD_FATAL.word());
            assertThat(half.init(0)).as(where).isNegative();
            rig.faults.clear();
            for (int cpu = 0; cpu < rig.machine.cpus().size(); cpu++) {
                ok(rig.host.offline(cpu));
                assertThat(whole.cpu()).as(where).isNotEqualTo(cpu);
                assertThat(half.cpu()).as(where).isNotEqualTo(cpu);
                ok(rig.host.online(cpu));
            }
            assertThat(rig.audit()).as(where).isEmpty();
            assertThat(vm.destroy().isClean()).as(where).isTrue();
        }
    }

    @Test
    void r28_vcpuThatWasNeverInitialised_isFreedLikeAnyOther() {
        KvmTdx vm = rig.vm(2);
        ok(vm.initVm(CONFIG));
        KvmRig.vcpu(vm);
        KvmRig.vcpu(vm);
        assertThat(vm.destroy().isClean()).isTrue();
    }

    @Test
    void initVcpu_flagsTwiceOrTooLate_isEinval() {
        KvmTdx vm = rig.vm(2);
        ok(vm.initVm(CONFIG));
        KvmVcpu vcpu = KvmRig.vcpu(vm);
        KvmVcpu late = KvmRig.vcpu(vm);
        assertThat(vcpu.memoryEncryptOp(flagged(TdxStep.INIT_VCPU, 0L))).isEqualTo(Errno.EINVAL);
        ok(vcpu.init(0));
        assertThat(vcpu.init(0)).isEqualTo(Errno.EINVAL);
        ok(vm.finalizeVm());
        assertThat(late.init(0)).isEqualTo(Errno.EINVAL);
    }

    @Test
    void r43_initVcpuFailsAnywhere_isEioAndNothingIsLost() {
        KvmTdx sample = rig.vm(1);
        ok(sample.initVm(CONFIG));
        KvmVcpu whole = KvmRig.vcpu(sample);
        long calls = rig.faults.calls();
        ok(whole.init(0));
        long points = rig.faults.calls() - calls;
        for (long nth = 1; nth <= points; nth++) {
            KvmTdx vm = rig.vm(1);
            ok(vm.initVm(CONFIG));
            KvmVcpu vcpu = KvmRig.vcpu(vm);
            SeamcallFaults.Rule rule = rig.faults.refuse(null, nth, 1, StatusCode.TD_FATAL.word());
            int result = vcpu.init(0);
            if (rule.strikes() > 0) { // where pairs are there already, fewer calls are made
                assertThat(result).as("call " + nth).isIn(Errno.EIO, Errno.ENOMEM);
            } else {
                ok(result);
            }
            rig.faults.clear();
            assertThat(rig.audit()).as("call " + nth).isEmpty();
            assertThat(vm.destroy().isClean()).as("call " + nth).isTrue();
        }
    }

    // ------------------------------------------------------------------ INIT_MEM_REGION

    private static TdxCmd region(MemRegion region, int flags) {
        return new TdxCmd(TdxStep.INIT_MEM_REGION.id(), flags, region);
    }

    private static MemRegion.UserMemory zeroes() {
        return (address, into) -> true;
    }

    @Test
    void initMemRegion_badArguments_areEinval() {
        KvmTdx vm = rig.initialised(1);
        KvmVcpu vcpu = vm.vcpus()[0];
        long shared = 1L << 47;
        List<MemRegion> bad =
                List.of(
                        new MemRegion(zeroes(), 0, 0, 1),
                        new MemRegion(zeroes(), PAGE + 1, 0, 1),
                        new MemRegion(zeroes(), PAGE, 1, 1),
                        new MemRegion(zeroes(), PAGE, 0, 0),
                        new MemRegion(zeroes(), PAGE, 0, -1),
                        new MemRegion(zeroes(), PAGE, PAGE, Long.MAX_VALUE >>> 12),
                        new MemRegion(zeroes(), PAGE, shared, 1),
                        new MemRegion(zeroes(), PAGE, shared - PAGE, 2),
                        // No slot, and a slot whose memory is shared.
                        new MemRegion(zeroes(), PAGE, MEMORY, 1));
        for (MemRegion region : bad) {
            assertThat(vcpu.memoryEncryptOp(region(region, 0)))
                    .as(Addresses.show(region.gpa()) + " + " + region.pages())
                    .isEqualTo(Errno.EINVAL);
        }
        assertThat(vcpu.memoryEncryptOp(region(new MemRegion(zeroes(), PAGE, 0, 1), 2)))
                .isEqualTo(Errno.EINVAL);
        assertThat(vcpu.memoryEncryptOp(cmd(TdxStep.INIT_MEM_REGION, null)))
                .isEqualTo(Errno.EFAULT);
        ok(vm.setMemoryAttributes(0, PAGE, false));
        assertThat(vcpu.memoryEncryptOp(region(new MemRegion(zeroes(), PAGE, 0, 1), 0)))
                .isEqualTo(Errno.EINVAL);
        ok(vm.finalizeVm());
        assertThat(vcpu.memoryEncryptOp(region(new MemRegion(zeroes(), PAGE, PAGE, 1), 0)))
                .isEqualTo(Errno.EINVAL);
    }

    @Test
    void initMemRegion_vcpuNotInitialised_isEinval() {
        KvmTdx vm = rig.vm(1);
        ok(vm.initVm(CONFIG));
        KvmVcpu vcpu = KvmRig.vcpu(vm);
        assertThat(vcpu.memoryEncryptOp(region(new MemRegion(zeroes(), PAGE, 0, 1), 0)))
                .isEqualTo(Errno.EINVAL);
    }

    @Test
    void initMemRegion_stoppedInTheMiddle_goesOnWhereItStopped() {
        KvmTdx vm = rig.initialised(1);
        KvmVcpu vcpu = vm.vcpus()[0];
        boolean[] broken = {true};
        MemRegion region =
                new MemRegion(
                        (address, into) -> address < 4 * PAGE || !broken[0], PAGE, 8 * PAGE, 6);
        assertThat(vcpu.memoryEncryptOp(region(region, 1))).isEqualTo(Errno.EFAULT);
        assertThat(region.pages()).isEqualTo(3);
        assertThat(region.source()).isEqualTo(4 * PAGE);
        assertThat(region.gpa()).isEqualTo(11 * PAGE);
        broken[0] = false;

        // A signal: nothing is added, nothing is lost.
        vcpu.requestExit();
        assertThat(vcpu.memoryEncryptOp(region(region, 1))).isEqualTo(Errno.EINTR);
        assertThat(region.pages()).isEqualTo(3);
        vcpu.allowRun();

        rig.faults.refuse(Leaf.MEM_PAGE_ADD, 2, 1, BUSY);
        assertThat(vcpu.memoryEncryptOp(region(region, 1))).isEqualTo(Errno.EBUSY);
        assertThat(region.pages()).isEqualTo(2);
        ok(vcpu.memoryEncryptOp(region(region, 1)));
        assertThat(region.pages()).isZero();
        assertThat(rig.faults.calls(Leaf.MR_EXTEND)).isEqualTo(6 * 16);
        assertThat(vm.stats().get(KvmStats.Counter.PRIVATE_PAGES)).isEqualTo(6);

        // Not measured, and a page that is there already.
        ok(vcpu.memoryEncryptOp(region(new MemRegion(zeroes(), PAGE, 0, 1), 0)));
        assertThat(rig.faults.calls(Leaf.MR_EXTEND)).isEqualTo(6 * 16);
        assertThat(vcpu.memoryEncryptOp(region(new MemRegion(zeroes(), PAGE, 0, 1), 0)))
                .isEqualTo(Errno.EEXIST);
    }

    @Test
    void initMemRegion_extendRefused_isEioAndTheVmIsDead() {
        KvmTdx vm = rig.initialised(1);
        rig.faults.refuse(Leaf.MR_EXTEND, 3, 1, BUSY);
        assertThat(vm.vcpus()[0].initMemRegion(0, 1, true, (page, into) -> {}))
                .isEqualTo(Errno.EIO);
        assertThat(vm.isDead()).isTrue();
    }

    // ------------------------------------------------------------------ GET_CPUID

    @Test
    void getCpuid_tooSmall_isE2bigWithWhatItNeeds() {
        KvmTdx vm = rig.initialised(1);
        KvmVcpu vcpu = vm.vcpus()[0];
        // A module that shows leaves 0 and 1, subleaves 0 and 1 of leaf 4, and 0x80000000 with 8.
        rig.faults.replace(
                Leaf.MNG_RD,
                1,
                Long.MAX_VALUE,
                (module, cpu, regs) -> {
                    long field = regs.rdx();
                    int leaf = (int) (field >>> 9) & 0x7F;
                    boolean extended = (field >>> 16 & 1) != 0;
                    int subleaf = (int) (field >>> 1) & 0xFF;
                    boolean low = (field & 1) == 0;
                    boolean there =
                            extended
                                    ? (leaf == 0 || leaf == 8) && subleaf == 0xFF
                                    : leaf == 4 ? subleaf < 2 : leaf < 2 && subleaf == 0xFF;
                    long value = 0;
                    if (leaf == 0 && low) {
                        value = extended ? 0x8000_0008L : 4;
                    }
                    long status =
                            there ? Status.SUCCESS : StatusCode.METADATA_FIELD_NOT_READABLE.word();
                    regs.r8(value).rax(status);
                    return status;
                });
        CpuidList list = new CpuidList(5);
        assertThat(vcpu.memoryEncryptOp(cmd(TdxStep.GET_CPUID, list))).isEqualTo(Errno.E2BIG);
        assertThat(list.nent()).isEqualTo(6);
        assertThat(list.entries()).isEmpty();
        ok(vcpu.memoryEncryptOp(cmd(TdxStep.GET_CPUID, list)));
        assertThat(list.entries())
                .extracting(entry -> Integer.toHexString(entry.function()) + "." + entry.index())
                .containsExactly("0.0", "1.0", "4.0", "4.1", "80000000.0", "80000008.0");
        assertThat(list.entries().getLast().eax()).isEqualTo(48 << 16);
        assertThat(vcpu.memoryEncryptOp(cmd(TdxStep.GET_CPUID, 5))).isEqualTo(Errno.EFAULT);
    }

    @Test
    void getCpuid_leafZeroUnreadable_isEio_andAfterFinalize_isEinval() {
        KvmTdx vm = rig.initialised(1);
        KvmVcpu vcpu = vm.vcpus()[0];
        rig.faults.refuse(
                Leaf.MNG_RD, 1, Long.MAX_VALUE, StatusCode.METADATA_FIELD_NOT_READABLE.word());
        assertThat(vcpu.memoryEncryptOp(cmd(TdxStep.GET_CPUID, new CpuidList(256))))
                .isEqualTo(Errno.EIO);
        rig.faults.clear();
        ok(vm.finalizeVm());
        assertThat(vcpu.memoryEncryptOp(cmd(TdxStep.GET_CPUID, new CpuidList(256))))
                .isEqualTo(Errno.EINVAL);
    }

    // ------------------------------------------------------------------ KVM_RUN

    @Test
    void kvmRun_beforeFinalize_isEinval() {
        KvmTdx vm = rig.initialised(1);
        KvmVcpu vcpu = vm.vcpus()[0];
        vcpu.bindGuest(cpu -> {});
        assertThat(vcpu.run())
                .isInstanceOfSatisfying(
                        KvmExit.Failed.class,
                        failed -> assertThat(failed.errno()).isEqualTo(Errno.EINVAL));
        assertThat(rig.used()).containsKey(PageUse.CONTROL);
    }
}
