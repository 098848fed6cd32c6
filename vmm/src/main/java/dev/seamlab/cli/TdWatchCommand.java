// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.Progress;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.WatchTrustDomainRequest;
import dev.seamlab.v1.WatchTrustDomainResponse;
import dev.seamlab.v1.WatchTrustDomainsRequest;
import dev.seamlab.v1.WatchTrustDomainsResponse;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code seamlab td watch}. */
@Command(
        name = "watch",
        description = {
            "Follows one trust domain, or all, and prints each change.",
            "Goes on by itself where the connection drops; ends with Ctrl-C."
        },
        footer = {"", "Examples:", "  seamlab td watch web", "  seamlab td watch"})
final class TdWatchCommand implements Callable<Integer> {
    @Mixin private ClientOptions options;

    @Parameters(arity = "0..1", paramLabel = "NAME", description = "Trust domain (default: all).")
    private String name = "";

    @Override
    public Integer call() {
        try (Client client = options.connect()) {
            if (name.isEmpty()) {
                all(client)
                        .run(change -> {
                            if (change.hasTrustDomain()) {
                                print(change.getTrustDomain(), change.getDeleted());
                            }
                        });
            } else {
                one(client, TdNameParameter.full(name))
                        .run(change -> print(change.getTrustDomain(), change.getDeleted()));
            }
        }
        return ExitCodes.OK;
    }

    private Following<WatchTrustDomainsResponse> all(Client client) {
        return new Following<>(
                token ->
                        client.endless()
                                .watchTrustDomains(
                                        WatchTrustDomainsRequest.newBuilder()
                                                .setResumeToken(token)
                                                .build()),
                WatchTrustDomainsResponse::getResumeToken,
                "",
                options.err());
    }

    private Following<WatchTrustDomainResponse> one(Client client, String full) {
        return new Following<>(
                token ->
                        client.endless()
                                .watchTrustDomain(
                                        WatchTrustDomainRequest.newBuilder()
                                                .setName(full)
                                                .setResumeToken(token)
                                                .build()),
                WatchTrustDomainResponse::getResumeToken,
                "",
                options.err());
    }

    private void print(TrustDomain td, boolean deleted) {
        if (options.forPrograms()) {
            options.print(td);
            return;
        }
        Progress progress = td.getProgress();
        options.out()
                .printf(
                        "%-20s %-16s  %,d operations, %,d faults, private %s, dynamic PAMT %s%n",
                        MemoryStory.shortName(td.getName()),
                        deleted ? "GONE" : TdPrinter.state(td),
                        progress.getOperations(),
                        progress.getPrivateFaults() + progress.getSharedFaults(),
                        MemoryStory.pages(td.getMemory().getPrivatePages()),
                        Sizes.show(td.getMemory().getDynamicPamtBytes()));
        options.out().flush();
    }
}
