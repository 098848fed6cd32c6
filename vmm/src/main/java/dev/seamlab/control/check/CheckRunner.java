// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.check;

import com.google.rpc.Code;
import dev.seamlab.check.CheckJvm;
import dev.seamlab.control.call.Drain;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.control.operation.StoredOperation;
import dev.seamlab.v1.CheckReport;
import dev.seamlab.v1.CheckResult;
import jakarta.inject.Singleton;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Runs checks, a child process for each variant, so that a cancelled check still has the results of
 * the variants before. At most {@link #MOST} at once: each keeps a CPU busy.
 */
@Singleton
class CheckRunner {
    static final int MOST = 2;

    private static final long POLL_MILLIS = 50;
    private static final Pattern TICK = Pattern.compile("\\S+: (\\d+) schedules so far");

    private final Drain drain;
    private final AtomicInteger running = new AtomicInteger();

    CheckRunner(Drain drain) {
        this.drain = drain;
    }

    /**
     * Starts an operation that will call {@link #run}.
     *
     * @throws Rejection where enough checks run already
     */
    StoredOperation start(Supplier<StoredOperation> operation) {
        if (running.incrementAndGet() > MOST) {
            running.decrementAndGet();
            throw Rejection.exhausted(
                    "TOO_MANY_CHECKS",
                    "checks",
                    MOST + " checks are running: wait for one of them, or cancel it");
        }
        try {
            return operation.get();
        } catch (Rejection refused) {
            running.decrementAndGet();
            throw refused;
        }
    }

    /** Checks one variant after the other until all are done or somebody cancels. */
    CheckReport run(CheckRun run, BooleanSupplier cancelled) {
        BooleanSupplier stop = () -> cancelled.getAsBoolean() || drain.hasBegun();
        CheckReport.Builder report = CheckReport.newBuilder();
        try {
            for (String variant : run.variants()) {
                if (stop.getAsBoolean()) {
                    break;
                }
                run.begin(variant);
                report.addAllResults(check(run, variant, stop));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw Rejection.of(Code.UNAVAILABLE, "SHUTTING_DOWN", "the server stops", Map.of());
        } finally {
            running.decrementAndGet();
        }
        return report.build();
    }

    /** One result, or none where it was stopped before its end. */
    private Iterable<CheckResult> check(CheckRun run, String variant, BooleanSupplier stop)
            throws IOException, InterruptedException {
        Path json = Files.createTempFile("seamlab-check-", ".json");
        try {
            Process child = start(run, variant, json);
            Listener said = new Listener(run, child);
            Thread listening = Thread.ofVirtual().start(said);
            try {
                while (!child.waitFor(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
                    if (stop.getAsBoolean()) {
                        return List.of();
                    }
                }
                listening.join();
            } finally {
                child.destroyForcibly();
            }
            String written = Files.readString(json);
            if (written.isEmpty()) {
                throw Rejection.of(
                        Code.INVALID_ARGUMENT,
                        "CHECK_REFUSED",
                        "the check of " + variant + " gave no result: " + said.last(),
                        Map.of("variant", variant));
            }
            return CheckResults.read(written);
        } finally {
            Files.deleteIfExists(json);
        }
    }

    private static Process start(CheckRun run, String variant, Path json) throws IOException {
        try {
            return new ProcessBuilder(CheckJvm.command(run.arguments(variant, json)))
                    .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                    .start();
        } catch (IllegalStateException noJvm) {
            throw Rejection.precondition("NEEDS_JVM", "checks", String.valueOf(noJvm.getMessage()));
        }
    }

    /** Hears how far the child is, and its last words where it fails. */
    private static final class Listener implements Runnable {
        private final CheckRun run;
        private final BufferedReader words;
        private volatile String last = "";

        Listener(CheckRun run, Process child) {
            this.run = run;
            this.words = child.errorReader();
        }

        @Override
        public void run() {
            try (words) {
                for (String line = words.readLine(); line != null; line = words.readLine()) {
                    Matcher tick = TICK.matcher(line);
                    if (tick.matches()) {
                        run.tried(Long.parseLong(tick.group(1)));
                    } else if (line.startsWith("seamlab:")) {
                        last = line;
                    }
                }
            } catch (IOException e) {
                last = "its messages were cut off: " + e.getMessage();
            }
        }

        String last() {
            return last;
        }
    }
}
