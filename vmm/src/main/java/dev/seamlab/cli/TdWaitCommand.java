// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.WaitTrustDomainRequest;
import dev.seamlab.v1.WaitTrustDomainResponse;
import java.util.EnumSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code seamlab td wait}. */
@Command(
        name = "wait",
        description = "Waits until a trust domain is in a state, through with its guest, or gone.",
        footer = {
            "",
            "Examples:",
            "  seamlab td wait web --for READY",
            "  seamlab td wait web --finished --timeout 600",
            "  seamlab td wait web                  until it is gone",
            "",
            "One that failed ends every wait, with exit code 3 unless FAILED was waited for. A wait",
            "that takes longer than --timeout ends with exit code 5."
        })
final class TdWaitCommand implements Callable<Integer> {
    @Mixin private ClientOptions options;
    @Mixin private TdNameParameter name;
    @Spec private CommandSpec spec;

    @Option(
            names = "--for",
            paramLabel = "STATE",
            split = ",",
            description = "States to wait for, of ${COMPLETION-CANDIDATES}.",
            completionCandidates = States.class)
    private List<TrustDomain.State> states = List.of();

    @Option(
            names = "--finished",
            description = "Also when all vCPUs are through with their guest program.")
    private boolean finished;

    /** The states that a trust domain can be in. */
    static final class States implements Iterable<String> {
        private static final Set<TrustDomain.State> ALL =
                EnumSet.complementOf(
                        EnumSet.of(
                                TrustDomain.State.UNRECOGNIZED,
                                TrustDomain.State.STATE_UNSPECIFIED));

        @Override
        public Iterator<String> iterator() {
            return ALL.stream().map(Enum::name).iterator();
        }
    }

    @Override
    public Integer call() {
        if (!States.ALL.containsAll(states)) {
            throw new ParameterException(
                    spec.commandLine(),
                    "--for: use some of "
                            + States.ALL.stream()
                                    .map(Enum::name)
                                    .collect(Collectors.joining(", ")));
        }
        try (Client client = options.connect()) {
            WaitTrustDomainResponse answer =
                    client.trustDomains()
                            .waitTrustDomain(
                                    WaitTrustDomainRequest.newBuilder()
                                            .setName(name.get())
                                            .addAllStates(states)
                                            .setFinished(finished)
                                            .build());
            if (options.forPrograms()) {
                options.print(answer);
            } else if (answer.getDeleted()) {
                options.out().println(name.get() + " is gone");
                options.out().flush();
            } else {
                TdPrinter.print(options, answer.getTrustDomain());
            }
            boolean failed = answer.getTrustDomain().getState() == TrustDomain.State.FAILED;
            return failed && !states.contains(TrustDomain.State.FAILED)
                    ? ExitCodes.REFUSED
                    : ExitCodes.OK;
        }
    }
}
