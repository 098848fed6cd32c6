// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vectors;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The emulated module answers as the reference module does in every trace of the folder {@code
 * reference}: host leaves, guest leaves and what leads out of a guest.
 */
class ReferenceTracesTest {
    private static final int SHOWN = 20;

    static Stream<Named<Path>> traces() throws IOException, URISyntaxException {
        var folder =
                Objects.requireNonNull(
                        ReferenceTracesTest.class.getResource("/vectors/reference"),
                        "no reference traces");
        try (Stream<Path> files = Files.list(Path.of(folder.toURI()))) {
            List<Path> sorted = files.sorted().toList();
            return sorted.stream().map(file -> Named.of(file.getFileName().toString(), file));
        }
    }

    @ParameterizedTest
    @MethodSource("traces")
    void trace_everyRegisterOfEveryStep_asTheReferenceModule(Path file) {
        VectorReplay replay = new VectorReplay(VectorFile.of(file));

        assertThat(replay.run(SHOWN)).isEmpty();
    }

    @Test
    void traces_bothWithAndWithoutGuests() throws IOException, URISyntaxException {
        assertThat(traces().map(named -> VectorFile.of(named.getPayload()).isGuest()))
                .contains(true, false);
    }
}
