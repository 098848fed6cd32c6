// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Clients in other languages, made from server reflection alone or from the .proto files. */
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

    @Test
    void nodeClient_generatedFromTheProtos_makesTheReadmesFirstCallWatchesAndDeletes(
            @TempDir Path folder) throws IOException, InterruptedException {
        Path source = Path.of("src/test/node").toAbsolutePath();
        Path protos = Path.of("../proto").toAbsolutePath().normalize();
        for (String file : List.of("client.js", "package.json", "package-lock.json")) {
            Files.copy(source.resolve(file), folder.resolve(file));
        }
        assumeTrue(run(folder, "node", "--version").isEmpty(), "Node.js is not installed");
        assumeTrue(
                run(folder, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund").isEmpty(),
                "npm could not fetch @grpc/grpc-js and @grpc/proto-loader");
        try (Server server = Server.start()) {
            assertThat(
                            run(
                                    folder,
                                    "node",
                                    "client.js",
                                    "127.0.0.1:" + server.grpcPort(),
                                    protos.resolve("src/main/proto").toString(),
                                    protos.resolve("target/proto-imports").toString()))
                    .isEmpty();
        }
    }

    /** Runs a command to its end; empty where it went well, else what it printed. */
    private static Optional<String> run(Path folder, String... command)
            throws IOException, InterruptedException {
        Path out = folder.resolve(command[0] + ".out");
        Process process;
        try {
            process =
                    new ProcessBuilder(command)
                            .directory(folder.toFile())
                            .redirectErrorStream(true)
                            .redirectOutput(out.toFile())
                            .start();
        } catch (IOException e) {
            return Optional.of(String.valueOf(e.getMessage())); // not installed
        }
        boolean ended = process.waitFor(120, TimeUnit.SECONDS);
        if (!ended) {
            process.destroyForcibly();
        }
        return ended && process.exitValue() == 0
                ? Optional.empty()
                : Optional.of(Files.readString(out));
    }
}
