// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.tdvf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.api.Test;

class TdHobTest {
    @Test
    void write_twoStretches_isPhitResourcesEnd() {
        List<TdHob.Memory> memory =
                List.of(new TdHob.Memory(0, 0x1000, true), new TdHob.Memory(0x1000, 0x5000, false));
        byte[] bytes = TdHob.write(0x80_9000, 0x2000, memory);
        ByteBuffer list = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        assertThat(bytes).hasSize(56 + 2 * 48 + 8);
        assertThat(list.getShort(0)).isEqualTo((short) 1);
        assertThat(list.getShort(2)).isEqualTo((short) 56);
        assertThat(list.getInt(8)).isEqualTo(9);
        assertThat(list.getLong(48)).isEqualTo(0x80_9000 + bytes.length);
        assertThat(list.getShort(56)).isEqualTo((short) 3);
        assertThat(list.getInt(56 + 24)).as("system memory").isEqualTo(0);
        assertThat(list.getInt(56 + 28)).isEqualTo(7);
        assertThat(list.getInt(104 + 24)).as("unaccepted memory").isEqualTo(7);
        assertThat(list.getLong(104 + 32)).isEqualTo(0x1000);
        assertThat(list.getLong(104 + 40)).isEqualTo(0x5000);
        assertThat(list.getShort(152)).isEqualTo((short) 0xFFFF);
    }

    @Test
    void write_sectionTooSmall_isRefused() {
        assertThatThrownBy(() -> TdHob.write(0, 64, List.of(new TdHob.Memory(0, 0x1000, true))))
                .isInstanceOf(InvalidFirmwareException.class)
                .hasMessageContaining("112");
    }
}
