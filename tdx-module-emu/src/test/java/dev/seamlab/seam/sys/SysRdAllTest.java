// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.sys;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.TestModule;
import dev.seamlab.seam.abi.FieldId;
import dev.seamlab.seam.abi.GlobalField;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.StatusCode;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** SYS.RDALL says the same as SYS.RD, field by field and in its order (facts: section 1.4). */
class SysRdAllTest {
    private static final long LIST = TestModule.BUFFER + 0x4000;
    private static final int HEADER = 8;

    private final TestModule module = TestModule.staticPamt();
    private final PhysicalMemory memory = module.machine().memory();
    private final Registers regs = new Registers();

    private long readAll(long start) {
        regs.clear().rax(Leaf.SYS_RDALL.number()).rdx(LIST).r8(start);
        return module.call(regs);
    }

    /** Adds the elements of the list in the buffer. */
    private int decode(Map<Long, Long> into) {
        int used = memory.readShort(LIST) & 0xFFFF;
        int sequences = memory.readShort(LIST + 2) & 0xFFFF;
        assertThat(memory.readInt(LIST + 4)).isZero();
        assertThat(used).isLessThanOrEqualTo((int) Addresses.PAGE_SIZE);
        int at = HEADER;
        for (int s = 0; s < sequences; s++) {
            long header = memory.readLong(LIST + at);
            at += Long.BYTES;
            int elements = (int) (header >>> 34 & 0xF) + 1;
            int fields = (int) (header >>> 38 & 0x1FF) + 1;
            long first = header & ~(0xFL << 34 | 0x1FFL << 38);
            for (int e = 0; e < elements * fields; e++) {
                assertThat(into.put(first + e, memory.readLong(LIST + at))).isNull();
                at += Long.BYTES;
            }
        }
        assertThat(at).isEqualTo(used);
        return sequences;
    }

    @Test
    void lists_holdWhatSysRdReads() {
        Map<Long, Long> listed = new LinkedHashMap<>();
        long next = FieldId.NULL;
        int pages = 0;
        long status;
        do {
            status = readAll(next);
            next = regs.r8();
            assertThat(decode(listed)).isPositive();
            pages++;
        } while (status == StatusCode.METADATA_LIST_OVERFLOW.word());
        assertThat(status).isZero();
        assertThat(next).isEqualTo(FieldId.NULL);
        assertThat(pages).isGreaterThanOrEqualTo(1);

        Map<Long, Long> read = new LinkedHashMap<>();
        regs.clear().rax(Leaf.SYS_RD.number()).rdx(FieldId.NULL);
        assertThat(module.call(regs))
                .isEqualTo(StatusCode.METADATA_FIRST_FIELD_ID_IN_CONTEXT.word());
        for (long id = regs.rdx(); id != FieldId.NULL; id = regs.rdx()) {
            regs.clear().rax(Leaf.SYS_RD.number()).rdx(id);
            assertThat(module.call(regs)).as("%x", id).isZero();
            read.put(comparable(id), regs.r8());
        }
        Map<Long, Long> found = new LinkedHashMap<>();
        listed.forEach((id, value) -> found.put(comparable(id), value));
        assertThat(found).isEqualTo(read);
        assertThat(found.keySet()).containsExactlyElementsOf(read.keySet());
    }

    /** A sequence runs on over fields that differ in bit 63 only. */
    private static long comparable(long id) {
        return id & Long.MAX_VALUE;
    }

    @Test
    void start_atAFieldOfItsOwnSize_orRefused() {
        assertThat(readAll(GlobalField.TDR_BASE_SIZE.id())).isZero();
        Map<Long, Long> listed = new LinkedHashMap<>();
        decode(listed);
        assertThat(listed.keySet().iterator().next()).isEqualTo(GlobalField.TDR_BASE_SIZE.id());

        assertThat(readAll(GlobalField.CPUID_CONFIG_VALUES.id(1)))
                .as("in the middle of a field")
                .isEqualTo(StatusCode.METADATA_FIELD_ID_INCORRECT.word());
        assertThat(regs.r8()).isEqualTo(FieldId.NULL);
        assertThat(readAll(GlobalField.TDR_BASE_SIZE.id() | 3L << 32))
                .as("of another size")
                .isEqualTo(StatusCode.METADATA_FIELD_ID_INCORRECT.word());
        regs.clear().rax(Leaf.SYS_RDALL.number()).rdx(LIST + 8).r8(FieldId.NULL);
        assertThat(module.call(regs)).isEqualTo(StatusCode.OPERAND_INVALID.with(Operand.RDX));
    }
}
