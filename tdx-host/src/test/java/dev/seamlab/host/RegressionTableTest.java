// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** docs/regressions.md names tests; they have to exist, and each number has to be there. */
class RegressionTableTest {
    private static final Pattern ROW = Pattern.compile("^\\| R-(\\d\\d) \\|(.*)$");
    private static final Pattern NAME = Pattern.compile("`(\\w+Test)#(\\w+)`");

    private static Path root() {
        Path here = Path.of("").toAbsolutePath();
        while (here != null && !Files.isRegularFile(here.resolve("docs/regressions.md"))) {
            here = here.getParent();
        }
        assertThat(here).as("a folder with docs/regressions.md").isNotNull();
        return here;
    }

    @Test
    void everyTestThatTheTableNames_exists() throws IOException {
        Path root = root();
        List<String> missing = new ArrayList<>();
        int named = 0;
        for (String line : Files.readAllLines(root.resolve("docs/regressions.md"))) {
            Matcher name = NAME.matcher(line);
            while (name.find()) {
                named++;
                if (!source(root, name.group(1)).contains(" " + name.group(2) + "(")) {
                    missing.add(name.group());
                }
            }
        }
        assertThat(missing).isEmpty();
        assertThat(named).isGreaterThan(25);
    }

    @Test
    void everyNumberOfTheHost_hasATestOrAReason() throws IOException {
        Set<Integer> seen = new TreeSet<>();
        for (String line : Files.readAllLines(root().resolve("docs/regressions.md"))) {
            Matcher row = ROW.matcher(line);
            if (row.matches()) {
                seen.add(Integer.parseInt(row.group(1)));
                assertThat(row.group(2))
                        .as("R-" + row.group(1))
                        .containsPattern("`\\w+Test#\\w+`|out of reach");
            }
        }
        Set<Integer> wanted = new TreeSet<>();
        for (int number = 1; number <= 51; number++) {
            if (number <= 23 || number >= 45) {
                wanted.add(number);
            }
        }
        assertThat(seen).containsAll(wanted);
    }

    private static String source(Path root, String simpleName) throws IOException {
        try (Stream<Path> modules = Files.list(root)) {
            for (Path tests : modules.map(m -> m.resolve("src/test/java")).toList()) {
                if (!Files.isDirectory(tests)) {
                    continue;
                }
                try (Stream<Path> files = Files.walk(tests)) {
                    List<Path> found = files.filter(f -> f.endsWith(simpleName + ".java")).toList();
                    if (!found.isEmpty()) {
                        return Files.readString(found.getFirst());
                    }
                }
            }
        }
        return "";
    }
}
