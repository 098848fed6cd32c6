// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vectors;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The emulated module answers as the reference module does in every trace of the folder {@code
 * reference}, or of the folder that the system property {@code vectors} names: host leaves, guest
 * leaves and what leads out of a guest.
 */
class ReferenceTracesTest {
    private static final int SHOWN = 20;
    private static final Pattern TRACE = Pattern.compile(".+\\.jsonl(\\.gz)?");
    private static final @Nullable String OWN = System.getProperty("vectors");

    static Stream<Named<Path>> traces() throws IOException, URISyntaxException {
        return traces(OWN == null ? ours() : Path.of(OWN));
    }

    private static Stream<Named<Path>> traces(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            List<Path> sorted =
                    files.filter(file -> TRACE.matcher(file.getFileName().toString()).matches())
                            .sorted()
                            .toList();
            assertThat(sorted).as("traces in %s", folder).isNotEmpty();
            return sorted.stream().map(file -> Named.of(file.getFileName().toString(), file));
        }
    }

    private static Path ours() throws URISyntaxException {
        return Path.of(
                Objects.requireNonNull(
                                ReferenceTracesTest.class.getResource("/vectors/reference"),
                                "no reference traces")
                        .toURI());
    }

    @ParameterizedTest
    @MethodSource("traces")
    void trace_everyRegisterOfEveryStep_asTheReferenceModule(Path file) {
        VectorReplay replay = new VectorReplay(VectorFile.of(file), leaf -> true, true);

        assertThat(replay.run(SHOWN)).isEmpty();
    }

    @Test
    void traces_bothWithAndWithoutGuests() throws IOException, URISyntaxException {
        assertThat(traces().map(named -> VectorFile.of(named.getPayload()).isGuest()))
                .contains(true, false);
    }
}
