// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.check;

import com.google.protobuf.Message;
import com.google.protobuf.util.Durations;
import dev.seamlab.v1.CheckMetadata;
import dev.seamlab.v1.RunCheckRequest;
import java.nio.file.Path;
import java.util.List;

/** One check that was asked for, and how far it is. Written by its runner, read by any thread. */
final class CheckRun {
    private static final long USUAL_SECONDS = 60;

    private final String program;
    private final List<String> variants;
    private final long seconds;
    private final long seed;

    private volatile Progress progress = new Progress("", 0, 0);

    /** What is searched now: schedules of the variants before, and of this one. */
    private record Progress(String variant, long before, long now) {}

    /**
     * @param program in the explorer's own spelling, checked
     * @param variants checked names
     */
    CheckRun(String program, List<String> variants, RunCheckRequest request) {
        this.program = program;
        this.variants = List.copyOf(variants);
        // The command counts in whole seconds; less than one is rounded up, not to nothing.
        this.seconds =
                request.hasTimeLimit()
                        ? Math.max(1, Durations.toMillis(request.getTimeLimit()) + 999) / 1000
                        : USUAL_SECONDS;
        this.seed = request.getSeed();
    }

    List<String> variants() {
        return variants;
    }

    /** The command line for one variant, without the command's name. */
    List<String> arguments(String variant, Path json) {
        return List.of(
                "check",
                "--variant",
                variant,
                "--time-limit",
                seconds + "s",
                "--seed",
                Long.toString(seed),
                "--json",
                json.toString(),
                program);
    }

    void begin(String variant) {
        Progress last = progress;
        progress = new Progress(variant, last.before + last.now, 0);
    }

    void tried(long schedules) {
        Progress last = progress;
        progress = new Progress(last.variant, last.before, schedules);
    }

    Message metadata(boolean cancelRequested) {
        Progress seen = progress;
        return CheckMetadata.newBuilder()
                .setVariant(seen.variant)
                .setSchedules(seen.before + seen.now)
                .setCancelRequested(cancelRequested)
                .build();
    }
}
