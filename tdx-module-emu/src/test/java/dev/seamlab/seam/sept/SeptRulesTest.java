// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sept;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.SeptEntryState;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SeptRulesTest {
    /** All bits of a state: a code that none has. */
    private static final long NO_STATE = 1L << 9 | 0xFL << 53 | 0x3L << 6;

    @ParameterizedTest
    @EnumSource
    void ofAnEntry_isWhatItsStateSays_andNothingWhereItHasNone(Leaf leaf) {
        for (SeptEntryState state : SeptEntryState.values()) {
            long entry = SeptEntry.withState(SeptEntry.FREE, state);
            assertThat(SeptRules.allows(leaf, entry))
                    .as(state.name())
                    .isEqualTo(SeptRules.allows(leaf, state));
        }
        assertThat(SeptRules.allows(leaf, NO_STATE)).isFalse();
    }
}
