// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import dev.seamlab.v1.SeamcallRecord;
import dev.seamlab.v1.WatchSeamcallsRequest;
import dev.seamlab.v1.WatchSeamcallsResponse;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code seamlab seamcall log}. */
@Command(
        name = "log",
        description = "Follows the SEAMCALLs of a machine and prints each.",
        footer = {
            "",
            "Examples:",
            "  seamlab seamcall log --errors",
            "  seamlab seamcall log --leaf TDH.PHYMEM.PAMT.ADD --leaf TDH.PHYMEM.PAMT.REMOVE",
            "  seamlab seamcall log --class 0x03 --count 10 -o json"
        })
final class SeamcallLogCommand implements Callable<Integer> {
    @Mixin private ClientOptions options;
    @Mixin private SandboxOption sandbox;

    @Option(names = "--leaf", paramLabel = "NAME", description = "Only this leaf; may be repeated.")
    private List<String> leaves = List.of();

    @Option(
            names = "--class",
            paramLabel = "NUMBER",
            description = "Only statuses of this class, for example 0x03; may be repeated.")
    private List<String> classes = List.of();

    @Option(names = "--errors", description = "Only calls that ended with an error.")
    private boolean errors;

    @Option(
            names = "--tdr",
            paramLabel = "HPA",
            defaultValue = "0",
            description = "Only calls that name the TD with its TDR page at this address.")
    private String tdr;

    @Option(
            names = "--count",
            paramLabel = "NUMBER",
            defaultValue = "0",
            description = "End after so many calls (default: never).")
    private long count;

    @Override
    public Integer call() {
        WatchSeamcallsRequest.Builder request =
                WatchSeamcallsRequest.newBuilder()
                        .setSandbox(sandbox.get())
                        .addAllLeaves(leaves)
                        .setErrorsOnly(errors)
                        .setTdrHpa(number("--tdr", tdr));
        for (String number : classes) {
            request.addStatusClasses((int) number("--class", number));
        }
        try (Client client = options.connect()) {
            Iterator<WatchSeamcallsResponse> messages =
                    client.endlessSeamcalls().watchSeamcalls(request.build());
            long told = 0;
            long dropped = 0;
            while (messages.hasNext()) {
                WatchSeamcallsResponse message = messages.next();
                for (SeamcallRecord call : message.getCallsList()) {
                    print(call);
                    if (++told == count) {
                        return ExitCodes.OK;
                    }
                }
                if (message.getDroppedCount() > dropped && !options.forPrograms()) {
                    options.out()
                            .println(
                                    "(" + (message.getDroppedCount() - dropped) + " calls missed)");
                }
                dropped = message.getDroppedCount();
                options.out().flush();
            }
        }
        return ExitCodes.OK;
    }

    private static long number(String option, String text) {
        try {
            return Hex.parse(text);
        } catch (NumberFormatException e) {
            throw new CommandFailure(
                    ExitCodes.BAD_INPUT,
                    option + ": \"" + text + "\" is no number: give 0x... or decimal");
        }
    }

    private void print(SeamcallRecord call) {
        if (options.forPrograms()) {
            options.print(call);
            return;
        }
        String leaf = call.getLeafName();
        String status = call.getStatusName();
        options.out()
                .printf(
                        "%s cpu%-3d %8.1f us  %-24s %s -> %s %s%n",
                        Timestamps.toString(call.getReturnTime()),
                        call.getCpu(),
                        Durations.toNanos(call.getDuration()) / 1000.0,
                        leaf.isEmpty() ? "leaf " + call.getLeaf() : leaf,
                        RegisterText.show(call.getInput()),
                        status.isEmpty() ? Hex.word(call.getOutput().getRax()) : status,
                        RegisterText.show(call.getOutput()));
    }
}
