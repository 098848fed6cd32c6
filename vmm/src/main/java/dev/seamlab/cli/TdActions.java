// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.longrunning.Operation;
import com.google.protobuf.Empty;
import dev.seamlab.v1.DeleteTrustDomainRequest;
import dev.seamlab.v1.KillTrustDomainRequest;
import dev.seamlab.v1.PauseTrustDomainRequest;
import dev.seamlab.v1.ResumeTrustDomainRequest;
import dev.seamlab.v1.StartTrustDomainRequest;
import dev.seamlab.v1.StopTrustDomainRequest;
import dev.seamlab.v1.TerminateTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The commands that take a trust domain from one state to another. */
final class TdActions {
    private TdActions() {}

    /** One action on one trust domain, which is printed as it is afterwards. */
    abstract static class Action implements Callable<Integer> {
        @Mixin private ClientOptions options;
        @Mixin private TdNameParameter name;

        abstract TrustDomain act(Client client, String name);

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                TdPrinter.print(options, act(client, name.get()));
            }
            return ExitCodes.OK;
        }
    }

    /** {@code seamlab td start}. */
    @Command(name = "start", description = "Starts the vCPUs of a trust domain that is READY.")
    static final class Start extends Action {
        @Override
        TrustDomain act(Client client, String name) {
            return client.trustDomains()
                    .startTrustDomain(StartTrustDomainRequest.newBuilder().setName(name).build());
        }
    }

    /** {@code seamlab td pause}. */
    @Command(
            name = "pause",
            description = "Takes the vCPUs out of the guest; they keep their state.")
    static final class Pause extends Action {
        @Override
        TrustDomain act(Client client, String name) {
            return client.trustDomains()
                    .pauseTrustDomain(PauseTrustDomainRequest.newBuilder().setName(name).build());
        }
    }

    /** {@code seamlab td resume}. */
    @Command(name = "resume", description = "Lets the vCPUs of a paused trust domain go on.")
    static final class Resume extends Action {
        @Override
        TrustDomain act(Client client, String name) {
            return client.trustDomains()
                    .resumeTrustDomain(ResumeTrustDomainRequest.newBuilder().setName(name).build());
        }
    }

    /** {@code seamlab td stop}. */
    @Command(
            name = "stop",
            description = "Ends the vCPUs for good; memory is held until the delete.")
    static final class Stop extends Action {
        @Override
        TrustDomain act(Client client, String name) {
            return client.trustDomains()
                    .stopTrustDomain(StopTrustDomainRequest.newBuilder().setName(name).build());
        }
    }

    /** {@code seamlab td kill}. */
    @Command(name = "kill", description = "Ends a trust domain at once, whatever its guest does.")
    static final class Kill extends Action {
        @Override
        TrustDomain act(Client client, String name) {
            return client.trustDomains()
                    .killTrustDomain(KillTrustDomainRequest.newBuilder().setName(name).build());
        }
    }

    /** {@code seamlab td terminate}. */
    @Command(
            name = "terminate",
            description = "Releases the KeyID early; memory is held until the delete.")
    static final class Terminate extends Action {
        @Override
        TrustDomain act(Client client, String name) {
            return client.trustDomains()
                    .terminateTrustDomain(
                            TerminateTrustDomainRequest.newBuilder().setName(name).build());
        }
    }

    /** {@code seamlab td delete}. */
    @Command(
            name = "delete",
            description = "Tears a trust domain down and gives all its memory back.",
            footer = {"", "Example:", "  seamlab td delete web --stop"})
    static final class Delete implements Callable<Integer> {
        @Mixin private ClientOptions options;
        @Mixin private TdNameParameter name;

        @Option(names = "--stop", description = "Stop it first where it runs.")
        private boolean stop;

        @Option(
                names = "--etag",
                paramLabel = "ETAG",
                description = "Only if nothing changed since.")
        private String etag = "";

        @Option(names = "--allow-missing", description = "Succeed where there is none.")
        private boolean allowMissing;

        @Mixin private WaitOption wait;

        @Override
        public Integer call() {
            try (Client client = options.connect()) {
                if (stop) {
                    stopIfRunning(client);
                }
                Operation operation =
                        client.trustDomains()
                                .deleteTrustDomain(
                                        DeleteTrustDomainRequest.newBuilder()
                                                .setName(name.get())
                                                .setEtag(etag)
                                                .setAllowMissing(allowMissing)
                                                .build());
                if (!wait.isWanted()) {
                    options.printOperation(operation);
                    return ExitCodes.OK;
                }
                client.await(
                        operation,
                        Empty.class,
                        new WaitLine(options.err(), Terminal.isScreen())::show);
                if (!options.forPrograms()) {
                    options.out().println(name.get() + " is gone");
                    options.out().flush();
                }
            }
            return ExitCodes.OK;
        }

        private void stopIfRunning(Client client) {
            try {
                client.trustDomains()
                        .stopTrustDomain(
                                StopTrustDomainRequest.newBuilder().setName(name.get()).build());
            } catch (io.grpc.StatusRuntimeException e) {
                switch (e.getStatus().getCode()) {
                    case FAILED_PRECONDITION, NOT_FOUND -> {
                        // Does not run; the delete says what is wrong, if anything.
                    }
                    default -> throw e;
                }
            }
        }
    }
}
