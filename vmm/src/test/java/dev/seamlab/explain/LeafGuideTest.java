// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.explain;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Leaf;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class LeafGuideTest {
    private final LeafGuide guide = LeafGuide.get();

    @ParameterizedTest
    @EnumSource
    void leaf_ofEveryKind_hasAPurposeInOneLine(Leaf leaf) {
        assertThat(guide.purpose(leaf)).endsWith(".").hasSizeLessThan(90);
    }

    @ParameterizedTest
    @EnumSource
    void leaf_byItsNameInTheSpecification_isFound(Leaf leaf) {
        assertThat(LeafGuide.named(leaf.abiName())).contains(leaf);
        assertThat(LeafGuide.named(leaf.abiName().substring(4).toLowerCase(java.util.Locale.ROOT)))
                .contains(leaf);
    }

    @Test
    void leaf_thatDoesNotExist_isNotFound() {
        assertThat(LeafGuide.named("TDH.MAKE.COFFEE")).isEmpty();
    }

    @Test
    void tdr_isWhereTheFactsPutIt() {
        assertThat(guide.tdrRegister(Leaf.MNG_INIT)).isEqualTo(Registers.RCX);
        assertThat(guide.tdrRegister(Leaf.MEM_PAGE_AUG)).isEqualTo(Registers.RDX);
        assertThat(guide.tdrRegister(Leaf.VP_ENTER)).isEqualTo(LeafGuide.NO_TDR);
    }
}
