// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.seamlab.host.kernel.Errno;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class KeyIdsTest {
    @ParameterizedTest
    @ValueSource(ints = {1, 63, 64, 65, 2047})
    void allocate_allInOrder_thenNoSpace(int count) {
        KeyIds ids = new KeyIds(33, count);
        for (int i = 0; i < count; i++) {
            assertThat(ids.allocate()).isEqualTo(33 + i);
        }
        assertThat(ids.allocate()).isEqualTo(Errno.ENOSPC);
        assertThat(ids.free()).isZero();
        ids.free(33 + count - 1);
        assertThat(ids.free()).isEqualTo(1);
        assertThat(ids.allocate()).isEqualTo(33 + count - 1);
    }

    @Test
    void free_notAssigned_raises() {
        KeyIds ids = new KeyIds(33, 10);
        assertThatThrownBy(() -> ids.free(33)).hasMessageContaining("not assigned");
        assertThatThrownBy(() -> ids.free(32)).hasMessageContaining("not assigned");
        assertThatThrownBy(() -> ids.free(43)).hasMessageContaining("not assigned");
    }
}
