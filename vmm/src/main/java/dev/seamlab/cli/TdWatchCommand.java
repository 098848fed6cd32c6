// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.Progress;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.WatchTrustDomainRequest;
import dev.seamlab.v1.WatchTrustDomainResponse;
import dev.seamlab.v1.WatchTrustDomainsRequest;
import dev.seamlab.v1.WatchTrustDomainsResponse;
import java.util.Iterator;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code seamlab td watch}. */
@Command(
        name = "watch",
        description = "Follows one trust domain, or all, and prints each change.",
        footer = {"", "Examples:", "  seamlab td watch web", "  seamlab td watch"})
final class TdWatchCommand implements Callable<Integer> {
    @Mixin private ClientOptions options;

    @Parameters(arity = "0..1", paramLabel = "NAME", description = "Trust domain (default: all).")
    private String name = "";

    @Override
    public Integer call() {
        try (Client client = options.connect()) {
            if (name.isEmpty()) {
                Iterator<WatchTrustDomainsResponse> all =
                        client.endless()
                                .watchTrustDomains(WatchTrustDomainsRequest.getDefaultInstance());
                while (all.hasNext()) {
                    WatchTrustDomainsResponse change = all.next();
                    print(change.getTrustDomain(), change.getDeleted());
                }
            } else {
                String full = name.startsWith("trustDomains/") ? name : "trustDomains/" + name;
                Iterator<WatchTrustDomainResponse> one =
                        client.endless()
                                .watchTrustDomain(
                                        WatchTrustDomainRequest.newBuilder().setName(full).build());
                while (one.hasNext()) {
                    WatchTrustDomainResponse change = one.next();
                    print(change.getTrustDomain(), change.getDeleted());
                }
            }
        }
        return ExitCodes.OK;
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
