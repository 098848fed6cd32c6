// SPDX-License-Identifier: Apache-2.0
package dev.seamlab;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.control.call.RequestsFuzz;
import dev.seamlab.guest.GuestProgramFuzz;
import dev.seamlab.vmm.tdvf.TdvfFuzz;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The inputs that fuzzing kept: each a way through the code that no other input takes. */
class FuzzCorpusTest {
    private static final Map<String, Consumer<byte[]>> TARGETS =
            Map.of(
                    "TdvfFuzz", TdvfFuzz::fuzzerTestOneInput,
                    "GuestProgramFuzz", GuestProgramFuzz::fuzzerTestOneInput,
                    "RequestsFuzz", RequestsFuzz::fuzzerTestOneInput);

    static Stream<String> targets() {
        return TARGETS.keySet().stream().sorted();
    }

    @ParameterizedTest
    @MethodSource("targets")
    void keptInputs_ofEachTarget_passAgain(String target) throws IOException {
        List<Path> inputs;
        try (Stream<Path> files = Files.list(Path.of("src/test/resources/fuzz", target))) {
            inputs = files.sorted().toList();
        }
        assertThat(inputs).isNotEmpty();
        for (Path input : inputs) {
            try {
                TARGETS.get(target).accept(Files.readAllBytes(input));
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError("input " + input.getFileName(), e);
            }
        }
    }
}
