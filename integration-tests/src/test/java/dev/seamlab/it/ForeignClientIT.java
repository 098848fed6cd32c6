// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** A client in another language that knows nothing but server reflection. */
class ForeignClientIT {
    /** Debian's interpreter: where its packages put grpcio, whatever else is on the PATH. */
    private static final String PYTHON = "/usr/bin/python3";

    @Test
    void pythonClient_fromReflectionAlone_createsWatchesAndDeletesATrustDomain()
            throws IOException, InterruptedException {
        assumeTrue(
                Files.isExecutable(Path.of(PYTHON))
                        && new ProcessBuilder(PYTHON, "-c", "import grpc, google.protobuf")
                                        .redirectErrorStream(true)
                                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                                        .start()
                                        .waitFor()
                                == 0,
                "packages python3-grpcio and python3-protobuf are not installed");
        try (Server server = Server.start()) {
            Process client =
                    new ProcessBuilder(
                                    PYTHON,
                                    "src/test/python/reflection_client.py",
                                    "127.0.0.1:" + server.grpcPort())
                            .redirectErrorStream(true)
                            .start();
            String out = new String(client.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertThat(client.waitFor(60, TimeUnit.SECONDS)).isTrue();
            assertThat(client.exitValue()).as(out).isZero();
            assertThat(server.memoryReport().getTrustDomainsList()).isEmpty();
        }
    }
}
