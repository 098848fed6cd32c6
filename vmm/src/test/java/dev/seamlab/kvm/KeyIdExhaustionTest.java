// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static dev.seamlab.kvm.KvmRig.ok;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.Preset;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.StatusCode;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** TDs that find no KeyID, while the last one is being given away, taken back, or lost. */
@Timeout(120)
class KeyIdExhaustionTest {
    /** A failed ADD is success there, as posted, which has its own tests. */
    private static final Set<Preset> R13 = EnumSet.of(Preset.V4_BASE, Preset.V4_AS_POSTED);

    private static final long UNEXPECTED = StatusCode.TD_FATAL.word();

    /** All KeyIDs but some are taken by TDs that are as small as can be. */
    private static void takeAllBut(KvmRig rig, int left) {
        while (rig.host.keyIds().free() > left) {
            ok(rig.vm(1).initVm(KvmRig.CONFIG));
        }
    }

    @ParameterizedTest
    @EnumSource(Preset.class)
    void buildWithoutAKeyId_isEnospcAndTouchesNothing(Preset preset) {
        try (KvmRig rig = new KvmRig(preset)) {
            takeAllBut(rig, 0);
            KvmTdx late = rig.vm(1);
            long calls = rig.faults.calls();
            Map<PageUse, Long> full = rig.used();
            assertThat(late.initVm(KvmRig.CONFIG)).isEqualTo(Errno.ENOSPC);
            assertThat(rig.faults.calls()).as("no SEAMCALL").isEqualTo(calls);
            assertThat(rig.used()).as("no page").isEqualTo(full);
            assertThat(late.isDead()).isFalse();
            assertThat(rig.vms.removeFirst().destroy().isClean()).isTrue();
            ok(late.initVm(KvmRig.CONFIG));
        }
    }

    @ParameterizedTest
    @EnumSource(Preset.class)
    void lastKeyIdGoesToABuildThatFailsAnywhere_othersHearEnospcUntilItIsBack(Preset preset) {
        try (KvmRig rig = new KvmRig(preset)) {
            takeAllBut(rig, 1);
            KvmTdx sample = rig.vm(1);
            long before = rig.faults.calls();
            ok(sample.initVm(KvmRig.CONFIG));
            long points = rig.faults.calls() - before;
            assertThat(sample.destroy().isClean()).isTrue();
            for (long nth = 1; nth <= points; nth++) {
                String where = preset + ", call " + nth;
                int[] met = new int[1];
                boolean[] refused = new boolean[1];
                rig.faults.replace(
                        null,
                        nth,
                        1,
                        (module, cpu, regs) -> {
                            met[0] = rig.host.keyIds().allocate();
                            boolean add = (int) regs.rax() == Leaf.PHYMEM_PAMT_ADD.number();
                            refused[0] = !(add && R13.contains(preset));
                            if (!refused[0]) {
                                return module.call(cpu, regs);
                            }
                            regs.rax(UNEXPECTED);
                            return UNEXPECTED;
                        });
                KvmTdx build = rig.vm(1);
                int result = build.initVm(KvmRig.CONFIG);
                rig.faults.clear();
                assertThat(met[0]).as(where).isEqualTo(Errno.ENOSPC);
                assertThat(result != Errno.OK).as(where).isEqualTo(refused[0]);
                assertThat(build.destroy().isClean()).as(where).isTrue();
                assertThat(rig.host.keyIds().free()).as(where).isEqualTo(1);
                assertThat(rig.audit()).as(where).isEmpty();
            }
            ok(rig.vm(1).initVm(KvmRig.CONFIG));
            assertThat(rig.vm(1).initVm(KvmRig.CONFIG)).isEqualTo(Errno.ENOSPC);
        }
    }
}
