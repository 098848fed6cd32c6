// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static dev.seamlab.kvm.KvmRig.ok;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.Preset;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.sched.Waits;
import dev.seamlab.seam.abi.Leaf;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@Timeout(60)
class OrdinaryVmTest {
    private static OrdinaryVm vm(KvmRig rig, int vcpus) {
        OrdinaryVm vm = new OrdinaryVm(rig.host, vcpus);
        rig.ordinary.add(vm);
        return vm;
    }

    private static OrdinaryVm.Vcpu vcpu(OrdinaryVm vm) {
        OrdinaryVm.Vcpu vcpu = vm.createVcpu();
        if (vcpu == null) {
            throw new AssertionError("no vCPU");
        }
        return vcpu;
    }

    @ParameterizedTest
    @EnumSource(Preset.class)
    void r30_ordinaryVm_neverTouchesAPoolNorTheModule(Preset preset) {
        try (KvmRig rig = new KvmRig(preset)) {
            long calls = rig.faults.calls();
            OrdinaryVm vm = vm(rig, 1);
            ok(vm.addMemslot(0, 8 << 20));
            OrdinaryVm.Vcpu vcpu = vcpu(vm);
            for (long gpa = 0; gpa < 8 << 20; gpa += 4096) {
                ok(vcpu.touch(gpa));
            }
            assertThat(vm.mappedPages()).isEqualTo(2048);
            assertThat(rig.faults.calls()).isEqualTo(calls);
            Map<PageUse, Long> used = rig.used();
            assertThat(used).containsOnlyKeys(PageUse.GUEST_SHARED, PageUse.HOST);
            assertThat(used).containsEntry(PageUse.GUEST_SHARED, 2048L);
            // Six tables: one of level 3, one of level 2, four of level 1; and what is ready.
            assertThat(used.get(PageUse.HOST)).isBetween(6L, 6L + 4);
        }
    }

    @Test
    void ordinaryVms_besideTds_leaveTheirBackingAlone() throws Exception {
        try (KvmRig rig = new KvmRig()) {
            OrdinaryVm vm = vm(rig, 2);
            ok(vm.addMemslot(0, 4 << 20));
            OrdinaryVm.Vcpu first = vcpu(vm);
            OrdinaryVm.Vcpu second = vcpu(vm);
            KvmTdx td = rig.runnable(1);
            Thread other = Waits.start("ordinary", () -> churn(vm, second));
            KvmRig.run(
                    td,
                    td.vcpus()[0],
                    "loop 20 { accept 0x200000+64k 4k; share 0x200000+64k; private 0x200000+64k }");
            churn(vm, first);
            other.join();
            long pairs = rig.host.pages().usedPages(PageUse.PAMT_PAIR);
            long[] backed = new long[1];
            rig.ledger.forEach((pfn, owner, cause) -> backed[0]++);
            assertThat(pairs).isEqualTo(2 * backed[0]);
            assertThat(rig.audit()).isEmpty();
            assertThat(td.destroy().isClean()).isTrue();
            // The last TD is gone, an ordinary VM lives on: no dynamic PAMT is left.
            assertThat(rig.host.pages().usedPages(PageUse.PAMT_PAIR)).isZero();
            assertThat(vm.pages()).isPositive();
            assertThat(rig.faults.calls(Leaf.PHYMEM_PAMT_ADD))
                    .isEqualTo(rig.faults.calls(Leaf.PHYMEM_PAMT_REMOVE));
        }
    }

    private static void churn(OrdinaryVm vm, OrdinaryVm.Vcpu vcpu) {
        for (int round = 0; round < 20; round++) {
            for (long gpa = 0; gpa < 1 << 20; gpa += 4096) {
                ok(vcpu.touch(gpa));
            }
            if (round < 19) {
                vm.discard(0, 1 << 19);
            }
        }
    }

    @Test
    void touch_withoutSlotOrMemory_fails() {
        try (KvmRig rig = new KvmRig()) {
            OrdinaryVm vm = vm(rig, 1);
            assertThat(vm.addMemslot(1, 4096)).isEqualTo(Errno.EINVAL);
            ok(vm.addMemslot(0, 1 << 20));
            assertThat(vm.addMemslot(4096, 4096)).isEqualTo(Errno.EEXIST);
            OrdinaryVm.Vcpu vcpu = vcpu(vm);
            assertThat(vm.createVcpu()).isNull();
            assertThat(vcpu.touch(1 << 20)).isEqualTo(Errno.EFAULT);
            rig.host.pages().setGate((use, pages) -> use != PageUse.GUEST_SHARED);
            assertThat(vcpu.touch(0)).isEqualTo(Errno.ENOMEM);
            rig.host.pages().setGate((use, pages) -> use != PageUse.HOST);
            ok(vcpu.touch(0));
            assertThat(vcpu.touch(4096)).isEqualTo(Errno.ENOMEM);
            rig.host.pages().setGate((use, pages) -> true);
        }
    }
}
