// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.TreeMap;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class PhysicalMemoryTest {
    private static final long TOP = (1L << 52) - Addresses.PAGE_SIZE;

    private final PhysicalMemory memory = new PhysicalMemory();

    @Test
    void read_neverWritten_isZeroAndStoresNothing() {
        byte[] bytes = {1, 2, 3};
        memory.read(0x1234_5678L, bytes, 0, 3);
        assertThat(bytes).containsOnly(0);
        assertThat(memory.readLong(TOP)).isZero();
        assertThat(memory.writtenPages()).isZero();
    }

    @Test
    void write_acrossPages_readsBack() {
        byte[] bytes = {1, 2, 3, 4, 5, 6, 7, 8};
        memory.write(0x2FFC, bytes, 0, 8);
        byte[] back = new byte[8];
        memory.read(0x2FFC, back, 0, 8);
        assertThat(back).isEqualTo(bytes);
        assertThat(memory.writtenPages()).isEqualTo(2);
    }

    @Test
    void words_areLittleEndian() {
        memory.writeLong(0x1000, 0x0807_0605_0403_0201L);
        assertThat(memory.readByte(0x1000)).isEqualTo(1);
        assertThat(memory.readShort(0x1002)).isEqualTo(0x0403);
        assertThat(memory.readInt(0x1004)).isEqualTo(0x0807_0605);
    }

    @Test
    void zeroPage_givesTheStorageBack() {
        memory.writeByte(TOP, 1);
        memory.zeroPage(TOP);
        memory.zeroPage(TOP);
        assertThat(memory.writtenPages()).isZero();
        assertThat(memory.readByte(TOP)).isZero();
    }

    @Test
    void copyPage_ofAnUnwrittenPage_zeroesTheTarget() {
        memory.writeByte(0x5000, 9);
        memory.copyPage(0x5000, 0x9000);
        assertThat(memory.isWritten(5)).isFalse();
    }

    /** The oracle is a map from address to byte. */
    @Property(tries = 200)
    void anySequenceOfByteWrites_readsBackAsAMapWould(
            @ForAll @Size(max = 60) java.util.List<@IntRange(max = 1 << 16) Integer> places) {
        PhysicalMemory fresh = new PhysicalMemory();
        TreeMap<Long, Byte> oracle = new TreeMap<>();
        byte next = 1;
        for (int place : places) {
            long hpa = place * 0x7F_FFFFL & TOP;
            fresh.write(hpa, new byte[] {next}, 0, 1);
            oracle.put(hpa, next++);
        }
        for (var entry : oracle.entrySet()) {
            assertThat((byte) fresh.readByte(entry.getKey())).isEqualTo(entry.getValue());
        }
    }
}
