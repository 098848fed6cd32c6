// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.Gfn;
import org.junit.jupiter.api.Test;

class MirrorCursorTest {
    private static final @Gfn long GFN = 512 * 3 + 5;

    private final MirrorEpt mirror = new MirrorEpt(4);
    private final MirrorTable table = new MirrorTable(0, 0x77);
    private final MirrorCursor cursor = new MirrorCursor();

    @Test
    void tableOf_beforeTheFirstWalk_isUnknown_inTheFirstRangeToo() {
        assertThat(cursor.tableOf(mirror, 0)).isNull();
        assertThat(cursor.tableOf(mirror, GFN)).isNull();
    }

    @Test
    void tableOf_isKnownForTheSameRangeOnly() {
        cursor.remember(mirror, GFN, table);

        assertThat(cursor.tableOf(mirror, 512 * 3)).isSameAs(table);
        assertThat(cursor.tableOf(mirror, 512 * 4 - 1)).isSameAs(table);
        assertThat(cursor.tableOf(mirror, 512 * 4)).isNull();
        assertThat(cursor.tableOf(mirror, 512 * 3 - 1)).isNull();
    }

    @Test
    void tableOf_afterTablesWentOut_isUnknownUntilTheNextWalk() {
        cursor.remember(mirror, GFN, table);
        mirror.reshaped();
        assertThat(cursor.tableOf(mirror, GFN)).isNull();

        cursor.remember(mirror, GFN, table);
        assertThat(cursor.tableOf(mirror, GFN)).isSameAs(table);
    }
}
