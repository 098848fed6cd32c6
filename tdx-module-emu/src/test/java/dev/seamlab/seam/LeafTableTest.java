// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.Registers;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.StatusCode;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LeafTableTest {
    /** Leaves of functions that the model leaves out: migration, service TDs, TD-preserving. */
    private static final Set<Leaf> NOT_MODELLED =
            EnumSet.of(
                    Leaf.SERVTD_BIND,
                    Leaf.SERVTD_PREBIND,
                    Leaf.SYS_UPDATE,
                    Leaf.EXPORT_ABORT,
                    Leaf.EXPORT_BLOCKW,
                    Leaf.EXPORT_RESTORE,
                    Leaf.EXPORT_MEM,
                    Leaf.EXPORT_PAUSE,
                    Leaf.EXPORT_TRACK,
                    Leaf.EXPORT_STATE_IMMUTABLE,
                    Leaf.EXPORT_STATE_TD,
                    Leaf.EXPORT_STATE_VP,
                    Leaf.EXPORT_UNBLOCKW,
                    Leaf.IMPORT_ABORT,
                    Leaf.IMPORT_END,
                    Leaf.IMPORT_COMMIT,
                    Leaf.IMPORT_MEM,
                    Leaf.IMPORT_TRACK,
                    Leaf.IMPORT_STATE_IMMUTABLE,
                    Leaf.IMPORT_STATE_TD,
                    Leaf.IMPORT_STATE_VP,
                    Leaf.MIG_STREAM_CREATE);

    /** The guest side stands in its own package. */
    private static final Set<Leaf> GUEST_SIDE = EnumSet.of(Leaf.VP_ENTER);

    @ParameterizedTest
    @EnumSource
    void handler_everyLeafInScope_hasARow(Leaf leaf) {
        if (GUEST_SIDE.contains(leaf)) {
            return;
        }
        TestModule module = TestModule.staticPamt();

        assertThat(module.leaves().handler(leaf) != null)
                .as(leaf.abiName())
                .isEqualTo(!NOT_MODELLED.contains(leaf));
    }

    @ParameterizedTest
    @EnumSource(
            value = Leaf.class,
            names = {"SERVTD_BIND", "EXPORT_MEM", "IMPORT_MEM"})
    void call_leafThatIsNotModelled_refusedLikeAnUnknownLeaf(Leaf leaf) {
        TestModule module = TestModule.staticPamt();

        assertThat(module.call(leaf.number()))
                .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RAX));
    }

    @Test
    void call_pamtLeavesOfAModuleWithoutDynamicPamt_unknown() {
        TestModule module = TestModule.with(ModuleProfile.V1_5_16, false);

        assertThat(module.call(Leaf.PHYMEM_PAMT_ADD.number()))
                .isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RAX));
    }

    @Test
    void sysConfig_dynamicPamtOnAModuleThatOnlyAdvertisesIt_refusesR8() {
        TestModule module = TestModule.unconfigured(ModuleProfile.ADVERTISES_ONLY);

        assertThat(module.configure(true)).isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.R8));
        assertThat(module.configure(false)).isZero();
    }

    @Test
    void call_anyLeaf_toldToTheListenerWithItsStatus() {
        TestModule module = TestModule.staticPamt();
        Registers regs = new Registers().rax(Leaf.SYS_RD.number()).rdx(0);

        module.call(regs);

        assertThat(module.lastLeaf()).isEqualTo(Leaf.SYS_RD.number());
        assertThat(module.lastStatus()).isEqualTo(regs.rax());
    }
}
