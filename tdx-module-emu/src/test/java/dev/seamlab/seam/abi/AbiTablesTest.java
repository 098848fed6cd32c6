// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.abi;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class AbiTablesTest {
    @ParameterizedTest
    @EnumSource
    void statusCode_everyCode_isFoundAgainWithAnyDetail(StatusCode code) {
        assertThat(StatusCode.of(code.withDetail(0xFFFF_FFFFL))).isEqualTo(code);
        assertThat(code.matches(code.with(Operand.RCX))).isTrue();
        assertThat(Status.detail(code.word())).isZero();
    }

    @ParameterizedTest
    @CsvSource({
        "0xC000030400000001, HPA_RANGE_NOT_FREE|0x1",
        "0x8000020000000092, OPERAND_BUSY|SEPT_TREE",
        "0xC000010000000000, OPERAND_INVALID|RAX",
        "0x0000000000000000, SUCCESS",
        "0x8000ff00ffff0000, 0x8000ff00ffff0000",
    })
    void status_show_namesCodeAndOperand(String word, String expected) {
        assertThat(Status.show(Long.parseUnsignedLong(word.substring(2), 16))).startsWith(expected);
    }

    @ParameterizedTest
    @EnumSource
    void leaf_everyLeaf_isFoundByNumber(Leaf leaf) {
        assertThat(Leaf.of(leaf.number())).isEqualTo(leaf);
    }

    @Test
    void leaf_unknownNumber_isNull() {
        assertThat(Leaf.of(42)).isNull();
        assertThat(Leaf.of(-1)).isNull();
        assertThat(Leaf.of(0x1_0000)).isNull();
    }

    @ParameterizedTest
    @EnumSource
    void septState_everyState_isFoundByItsCode(SeptEntryState state) {
        assertThat(SeptEntryState.ofCode(state.code())).isEqualTo(state);
    }

    @ParameterizedTest
    @EnumSource
    void pageType_everyType_isFoundByItsCode(PageType type) {
        assertThat(PageType.of(type.code())).isEqualTo(type);
    }

    @Test
    void tdParams_layout_fills1024Bytes() {
        assertThat(TdParams.RESERVED3).isEqualTo(704);
        assertThat(TdParams.RESERVED3_BYTES).isEqualTo(320);
        assertThat(TdmrInfo.SIZE).isEqualTo(320);
    }

    @Test
    void fieldId_partsOfAKnownId_readBack() {
        long id = GlobalField.PAMT_PAGE_BITMAP_ENTRY_BITS.id();
        assertThat(id).isEqualTo(0x9100_0001_0000_0013L & ~0x1_0000_0000L);
        assertThat(FieldId.code(id)).isEqualTo(0x13);
        assertThat(FieldId.fieldClass(id)).isEqualTo(0x11);
        assertThat(FieldId.elementBytes(id)).isEqualTo(1);
        assertThat(FieldId.isSingleElement(id)).isTrue();
        assertThat(FieldId.isNull(FieldId.inContext(FieldId.NULL, FieldId.CONTEXT_SYS))).isTrue();
    }
}
