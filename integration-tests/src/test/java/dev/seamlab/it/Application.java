// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** The packaged application: how to start it, and what became of a command. */
final class Application {
    private static final long COMMAND_SECONDS = 120;

    /** What a finished command left behind. */
    record Result(int exitCode, String out, String err) {}

    private Application() {}

    /** A process builder for the application with these arguments. */
    static ProcessBuilder command(String... arguments) {
        String app = System.getProperty("seamlab.app");
        if (app == null || !Files.exists(Path.of(app))) {
            throw new IllegalStateException(
                    "no application at " + app + "; run through ./mvnw verify");
        }
        List<String> line = new ArrayList<>();
        if (app.endsWith(".jar")) {
            line.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
            line.add("--enable-native-access=ALL-UNNAMED");
            line.add("--sun-misc-unsafe-memory-access=allow");
            line.add("-ea:dev.seamlab...");
            line.add("-jar");
        }
        line.add(app);
        line.addAll(List.of(arguments));
        return new ProcessBuilder(line);
    }

    /** Runs a command to its end. */
    static Result run(String... arguments) {
        try {
            Path out = Files.createTempFile("seamlab-it", ".out");
            Path err = Files.createTempFile("seamlab-it", ".err");
            try {
                Process process =
                        command(arguments)
                                .redirectOutput(out.toFile())
                                .redirectError(err.toFile())
                                .start();
                process.getOutputStream().close();
                if (!process.waitFor(COMMAND_SECONDS, TimeUnit.SECONDS)) {
                    process.destroyForcibly();
                    throw new AssertionError(
                            "still running after "
                                    + COMMAND_SECONDS
                                    + " s: "
                                    + String.join(" ", arguments)
                                    + "\n"
                                    + Files.readString(err));
                }
                return new Result(
                        process.exitValue(),
                        Files.readString(out, StandardCharsets.UTF_8),
                        Files.readString(err, StandardCharsets.UTF_8));
            } finally {
                Files.delete(out);
                Files.delete(err);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError("interrupted", e);
        }
    }

    /** A TCP port that was free a moment ago. */
    static int freePort() {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
