// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sept;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.SeptEntryState;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SeptTableTest {
    private final SeptTable table = new SeptTable(0x1_2000, PageInfo.LEVEL_4K);

    @Test
    void newTable_isEmptyAndKnowsItsPage() {
        assertThat(table.isEmpty()).isTrue();
        assertThat(table.hpa()).isEqualTo(0x1_2000);
        assertThat(table).hasToString("S-EPT page 0x0000_0000_0001_2000 level 0");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 511})
    void oneEntryOfAnyState_isNotEmpty_removedIncluded(int index) {
        for (SeptEntryState state :
                new SeptEntryState[] {SeptEntryState.PENDING, SeptEntryState.REMOVED}) {
            table.words()[index] = SeptEntry.withState(SeptEntry.FREE, state);
            assertThat(table.isEmpty()).as(state.name()).isFalse();
            table.words()[index] = SeptEntry.FREE;
            assertThat(table.isEmpty()).isTrue();
        }
    }

    @Test
    void aLockedFreeEntry_isStillFree() {
        assertThat(SeptEntry.tryLock(table.words(), 7)).isTrue();
        assertThat(table.isEmpty()).isTrue();
    }

    @Test
    void filled_hasOneLeafPerPage_inOrder() {
        table.fillWithLeaves(0x20_0000, SeptEntryState.PENDING);
        for (int i = 0; i < SeptTable.ENTRIES; i++) {
            assertThat(SeptEntry.hpa(table.words()[i])).isEqualTo(0x20_0000 + 0x1000L * i);
        }
        SeptTable large = new SeptTable(0x1_3000, PageInfo.LEVEL_2M);
        large.fillWithLeaves(0x4000_0000, SeptEntryState.MAPPED);
        assertThat(SeptEntry.hpa(large.words()[511])).isEqualTo(0x4000_0000 + 511 * 0x20_0000L);
    }

    @Test
    void letGo_keepsNoTableAlive() {
        SeptTable root = new SeptTable(0x1_4000, PageInfo.LEVEL_512G);
        root.child(3, table);
        assertThat(root.child(3)).isSameAs(table);
        root.letGo();
        assertThat(root.child(3)).isNull();
        // One of pages has none to begin with.
        table.letGo();
        assertThat(table.child(3)).isNull();
    }
}
