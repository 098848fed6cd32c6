// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.SeamcallRecord;
import dev.seamlab.v1.WatchSeamcallsRequest;
import dev.seamlab.v1.WatchSeamcallsResponse;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Iterator;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code seamlab trace}. */
@Command(
        name = "trace",
        description =
                "Records the SEAMCALLs of a machine into a file for ui.perfetto.dev or"
                        + " chrome://tracing.",
        footer = {
            "",
            "A track per logical CPU, a slice per SEAMCALL, named after its leaf; its arguments are the",
            "status and, where the call names one, the TD by the address of its TDR page.",
            "",
            "Examples:",
            "  seamlab trace --seconds 5 --out trace.json",
            "  seamlab trace --seconds 60 --errors --out errors.json"
        })
final class TraceCommand implements Callable<Integer> {
    @Mixin private ClientOptions options;
    @Mixin private SandboxOption sandbox;

    @Option(
            names = "--seconds",
            paramLabel = "SECONDS",
            defaultValue = "5",
            description = "How long to record (default: ${DEFAULT-VALUE}).")
    private int seconds;

    @Option(
            names = "--out",
            paramLabel = "FILE",
            defaultValue = "trace.json",
            description = "Where to write (default: ${DEFAULT-VALUE}).")
    private Path out;

    @Option(names = "--errors", description = "Only calls that ended with an error.")
    private boolean errors;

    @Override
    public Integer call() {
        if (seconds < 1) {
            throw new CommandFailure(ExitCodes.BAD_INPUT, "--seconds: must be 1 or more");
        }
        try (Client client = options.connect();
                Writer file = Files.newBufferedWriter(out);
                ChromeTrace trace = new ChromeTrace(file)) {
            WatchSeamcallsRequest request =
                    WatchSeamcallsRequest.newBuilder()
                            .setSandbox(sandbox.get())
                            .setErrorsOnly(errors)
                            .build();
            long missed = record(client, request, trace);
            options.err().printf("%d SEAMCALLs in %s%n", trace.size(), out);
            if (missed > 0) {
                options.err()
                        .printf(
                                "%d more were missed: the machine was faster than this client%n",
                                missed);
            }
            options.err().flush();
        } catch (IOException e) {
            throw new CommandFailure(
                    ExitCodes.BAD_INPUT, "--out: cannot write " + out + ": " + e.getMessage());
        }
        return ExitCodes.OK;
    }

    /** Returns how many calls were missed. */
    private long record(Client client, WatchSeamcallsRequest request, ChromeTrace trace)
            throws IOException {
        Iterator<WatchSeamcallsResponse> log =
                client.seamcallsFor(Duration.ofSeconds(seconds)).watchSeamcalls(request);
        long missed = 0;
        boolean began = false;
        try {
            while (log.hasNext()) {
                began = true;
                WatchSeamcallsResponse message = log.next();
                for (SeamcallRecord call : message.getCallsList()) {
                    trace.add(call);
                }
                missed = message.getDroppedCount();
            }
        } catch (StatusRuntimeException e) {
            if (!began || e.getStatus().getCode() != Status.Code.DEADLINE_EXCEEDED) {
                throw e;
            }
        }
        return missed;
    }
}
