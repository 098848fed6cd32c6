// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;

/**
 * How many conformance cases there are, leaf by leaf: counted from the very streams that the test
 * factories hand to JUnit, written to target/conformance.md, and compared with the page that says
 * so.
 */
class ConformanceCountTest {
    private static final Path REPORT = Path.of("target", "conformance.md");
    private static final Path PAGE = Path.of("..", "docs", "conformance.md");
    private static final String BEGIN = "<!-- counts -->\n";
    private static final String END = "<!-- end of counts -->";

    private static final String[] COLUMNS = {
        "one fault", "two faults", "no fault", "in each op-state", "structure"
    };

    @Test
    void page_statesTheCountsOfTheTables() throws IOException {
        String counted = report();
        Files.createDirectories(REPORT.getParent());
        Files.writeString(REPORT, counted);

        String page = Files.readString(PAGE);
        int begin = page.indexOf(BEGIN) + BEGIN.length();
        int end = page.indexOf(END);

        assertThat(end).as("markers in %s", PAGE).isGreaterThan(begin);
        assertThat(page.substring(begin, end))
                .as("%s is out of date; the table to put there is in %s", PAGE, REPORT)
                .isEqualTo(counted);
    }

    private static String report() {
        ContractTest contracts = new ContractTest();
        MatrixTest matrices = new MatrixTest();
        StructureRulesTest structures = new StructureRulesTest();
        Map<String, long[]> leaves = new TreeMap<>();
        count(leaves, 0, contracts.singleFault_refusedAsTheFactsSayAndNothingChanged());
        count(leaves, 1, contracts.twoFaults_theOneThatIsCheckedFirstReported());
        count(leaves, 2, contracts.noFault_succeedsAndChangesWhatItShould());
        count(leaves, 3, matrices.call_everyLeafInEveryOperationState_judgedAsTheTableSays());
        leaves.computeIfAbsent("MNG_INIT", leaf -> new long[COLUMNS.length])[4] =
                structures.mngInit_badParams_firstFaultReportedAndTdStaysUninitialised().count();
        leaves.computeIfAbsent("SYS_CONFIG", leaf -> new long[COLUMNS.length])[4] =
                structures.sysConfig_badRegion_firstFaultReportedAndConfigStaysPending().count();

        StringBuilder text = new StringBuilder();
        text.append("| leaf | ").append(String.join(" | ", COLUMNS)).append(" | sum |\n");
        text.append("|---|").append("--:|".repeat(COLUMNS.length + 1)).append('\n');
        long[] total = new long[COLUMNS.length];
        leaves.forEach((leaf, counts) -> {
            row(text, leaf, counts);
            for (int i = 0; i < total.length; i++) {
                total[i] += counts[i];
            }
        });
        row(text, "**all**", total);
        text.append("\n| matrix | cells |\n|---|--:|\n");
        text.append("| op-state × leaf | ")
                .append(matrices.opStateTable_everyCell().count())
                .append(" |\n");
        text.append("| S-EPT entry state × leaf | ")
                .append(matrices.septStateTable_everyCell().count())
                .append(" |\n");
        return text.toString();
    }

    /** A case's name begins with its leaf. */
    private static void count(Map<String, long[]> leaves, int column, Stream<DynamicTest> cases) {
        cases.forEach(test -> {
            String leaf = test.getDisplayName().split(" ", 2)[0];
            leaves.computeIfAbsent(leaf, name -> new long[COLUMNS.length])[column]++;
        });
    }

    private static void row(StringBuilder text, String name, long[] counts) {
        text.append("| ").append(name);
        long sum = 0;
        for (long count : counts) {
            text.append(" | ").append(count);
            sum += count;
        }
        text.append(" | ").append(sum).append(" |\n");
    }
}
