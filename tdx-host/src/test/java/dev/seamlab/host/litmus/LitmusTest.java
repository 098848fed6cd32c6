// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.litmus;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Runs the litmus tests of this package under jcstress, in JVMs of their own. Briefly, in one
 * configuration of compiler and threads; {@code -Dlitmus=all} takes jcstress's own default effort.
 */
class LitmusTest {
    /** The control among them. */
    private static final int TESTS = 15;

    private static final boolean ALL = "all".equals(System.getProperty("litmus"));

    private static final String BRIEF =
            "-f 1 -iters 1 -time 60 -c 2 -sc false -af NONE -strideSize 256 -strideCount 8"
                    + " -spinStyle THREAD_YIELD -jvmArgs -XX:+UseSerialGC";

    @Test
    void lockFreeParts_onRealCpus_showNothingForbidden(@TempDir Path reports) throws Exception {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("-cp");
        command.add(System.getProperty("java.class.path"));
        command.add("org.openjdk.jcstress.Main");
        command.addAll(List.of("-t", "dev.seamlab.host.litmus", "-r", reports.toString()));
        if (ALL) {
            command.addAll(List.of("-c", "2"));
        } else {
            command.addAll(List.of(BRIEF.split(" ")));
        }
        Path output = reports.resolve("output");
        int exit =
                new ProcessBuilder(command)
                        .directory(reports.toFile())
                        .redirectErrorStream(true)
                        .redirectOutput(output.toFile())
                        .start()
                        .waitFor();
        String said = Files.readString(output);
        assertThat(exit).as(said).isZero();
        assertThat(said).contains("Failed tests: No matches", "Error tests: No matches");
        Matcher last = Pattern.compile("(\\d+) planned; (\\d+) passed").matcher(said);
        int planned = 0;
        int passed = 0;
        while (last.find()) {
            planned = Integer.parseInt(last.group(1));
            passed = Integer.parseInt(last.group(2));
        }
        assertThat(planned).as("tests that jcstress found").isGreaterThanOrEqualTo(TESTS);
        assertThat(passed).isEqualTo(planned);
        if (ALL) {
            assertThat(said).as("the control").contains("Interesting tests: 1 matching");
        }
    }
}
