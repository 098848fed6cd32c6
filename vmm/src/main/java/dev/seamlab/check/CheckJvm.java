// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.machine.sched.SteppedRun;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/**
 * Starts a JVM whose wiring is the stepped one. The wiring of a JVM stands from its start, because
 * behind a static final field it costs nothing, so a check runs in a JVM of its own: that of {@code
 * seamlab check}, or a child of the server's for its Checks service.
 */
public final class CheckJvm {
    /** By name, because arrows go down: the command stands above. */
    private static final String MAIN = "dev.seamlab.cli.Seamlab";

    private CheckJvm() {}

    /** Whether this JVM can run checks. */
    public static boolean isThis() {
        return SteppedRun.isInstalled();
    }

    /** JVM flags of a check: assertions check lock order, and strands need the JDK's inside. */
    public static List<String> flags() {
        return List.of(
                "-D" + SteppedRun.PROPERTY + "=true",
                "-ea:dev.seamlab...",
                "--add-opens=java.base/java.lang=ALL-UNNAMED",
                // Threads of broken schedules are dropped where they stand; nobody must keep them.
                "-Djdk.trackAllThreads=false",
                "-XX:+UseSerialGC");
    }

    /**
     * Runs the same command line again in such a JVM, with this one's input and output.
     *
     * @return exit code of the child
     * @throws IllegalStateException where this is no JVM that could be started again
     */
    public static int again(List<String> arguments) throws IOException, InterruptedException {
        Process child = new ProcessBuilder(command(arguments)).inheritIO().start();
        try {
            return child.waitFor();
        } finally {
            child.destroy();
        }
    }

    /**
     * A command line of {@code seamlab} in such a JVM.
     *
     * @throws IllegalStateException where this is no JVM that could be started again
     */
    public static List<String> command(List<String> arguments) {
        String java = System.getProperty("java.home");
        String classPath = System.getProperty("java.class.path");
        if (java == null || classPath == null || classPath.isEmpty()) {
            throw new IllegalStateException(
                    "checks need a JVM: run the jar, not the native executable");
        }
        List<String> command = new ArrayList<>();
        command.add(java + "/bin/java");
        command.addAll(flags());
        if (ClassLoader.getSystemResource(MAIN.replace('.', '/') + ".class") == null) {
            // The application's own loader finds our classes, so its jar must start itself.
            command.add("-jar");
            command.add(classPath);
        } else {
            command.add("-cp");
            command.add(classPath);
            command.add(MAIN);
        }
        command.addAll(arguments);
        return command;
    }
}
