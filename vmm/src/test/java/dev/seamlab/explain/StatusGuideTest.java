// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.explain;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaFieldAccess;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.util.EnumSet;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class StatusGuideTest {
    private final StatusGuide guide = StatusGuide.get();

    @Test
    void status_thatTheModuleNamesInItsCode_hasARowOfItsOwn() {
        Set<StatusCode> named = EnumSet.noneOf(StatusCode.class);
        for (JavaClass c :
                new ClassFileImporter()
                        .withImportOption(new ImportOption.DoNotIncludeTests())
                        .importPackages("dev.seamlab.seam")) {
            if (c.getPackageName().equals("dev.seamlab.seam.abi")) {
                continue;
            }
            for (JavaFieldAccess access : c.getFieldAccessesFromSelf()) {
                if (access.getTargetOwner().isEquivalentTo(StatusCode.class)) {
                    named.add(StatusCode.valueOf(access.getTarget().getName()));
                }
            }
        }
        assertThat(named).hasSizeGreaterThan(60);
        assertThat(named).allMatch(guide::hasRow);
    }

    @ParameterizedTest
    @EnumSource
    void status_ofAnyClass_hasNameClassCauseAndNextStep(StatusCode code) {
        Explanation explained = guide.explain(code.word());
        assertThat(explained.name()).isEqualTo(code.name());
        assertThat(explained.className()).isNotEmpty();
        assertThat(explained.cause()).isNotBlank().doesNotContain("defines no such");
        assertThat(explained.next()).isNotBlank();
        assertThat(explained.recoverable()).isEqualTo(Status.isRecoverable(code.word()));
        assertThat(explained.error()).isEqualTo(Status.isError(code.word()));
    }

    @ParameterizedTest
    @CsvSource({
        "SUCCESS, SUCCESS",
        "KEY_CONFIGURED, INFORMATIONAL",
        "OPERAND_BUSY, RECOVERABLE",
        "OPERAND_INVALID, NON_RECOVERABLE",
        "TD_FATAL, FATAL",
        "NON_RECOVERABLE_VCPU, FATAL",
    })
    void severity_ofEachKind_followsTheTopBits(StatusCode code, Severity severity) {
        assertThat(guide.explain(code.word()).severity()).isEqualTo(severity);
    }

    @Test
    void operand_ofAStatusAboutAnOperand_isNamed() {
        assertThat(guide.explain(0xC000_0304_0000_0001L).operand()).isEqualTo("RCX");
        assertThat(guide.explain(StatusCode.OPERAND_INVALID.word()).operand()).isEqualTo("RAX");
        assertThat(guide.explain(StatusCode.OPERAND_BUSY.with(Operand.TD_EPOCH)).operand())
                .isEqualTo("TD_EPOCH");
    }

    @Test
    void operand_ofAStatusWithAnotherDetail_isNotGuessed() {
        Explanation state = guide.explain(StatusCode.OP_STATE_INCORRECT.withDetail(1));
        assertThat(state.operand()).isEmpty();
        assertThat(state.detail()).isEqualTo(1);
        assertThat(guide.explain(StatusCode.INVALID_TDMR.withDetail(1)).operand()).isEmpty();
        assertThat(guide.explain(StatusCode.HKID_NOT_FREE.word()).operand()).isEmpty();
        assertThat(guide.explain(0x30).operand()).as("an exit reason").isEmpty();
    }

    @Property(tries = 500)
    void anyWord_isExplained(@ForAll long word) {
        Explanation explained = guide.explain(word);
        assertThat(explained.word()).isEqualTo(word);
        assertThat(explained.cause()).isNotBlank();
    }

    @Test
    void softwareStatus_isToldFromTheModules() {
        assertThat(guide.explain(0x8000_FF00_FFFF_0000L).className()).isEqualTo("software");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "0xC000030500000000",
                "0xc000_0305_0000_0000",
                "13835061375291883520",
                "-4611682698417668096",
                "NO_PAMT_PAGE_PAIR",
                "tdx_no_pamt_page_pair"
            })
    void parse_ofEachForm_isTheSameWord(String text) {
        assertThat(StatusGuide.parse(text)).contains(StatusCode.NO_PAMT_PAGE_PAIR.word());
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "0x", "0xZZ", "99999999999999999999", "NOT_A_STATUS", "-"})
    void parse_ofNoStatus_isEmpty(String text) {
        assertThat(StatusGuide.parse(text)).isEmpty();
    }
}
