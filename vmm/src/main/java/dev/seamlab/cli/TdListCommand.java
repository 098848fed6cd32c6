// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.ListTrustDomainsRequest;
import dev.seamlab.v1.ListTrustDomainsResponse;
import dev.seamlab.v1.TrustDomain;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code seamlab td list}. */
@Command(
        name = "list",
        description = "Lists trust domains.",
        footer = {
            "",
            "Examples:",
            "  seamlab td list --filter state=RUNNING",
            "  seamlab td list --filter 'labels.team=kvm AND vcpu_count>=4' -o wide"
        })
final class TdListCommand implements Callable<Integer> {
    @Mixin private ClientOptions options;

    @Option(
            names = "--filter",
            paramLabel = "FILTER",
            description = "Terms joined by AND: state, vcpu_count, memory_bytes, labels.KEY.")
    private String filter = "";

    @Override
    public Integer call() {
        List<TrustDomain> all;
        try (Client client = options.connect()) {
            all =
                    Pages.all(
                            token ->
                                    client.trustDomains()
                                            .listTrustDomains(
                                                    ListTrustDomainsRequest.newBuilder()
                                                            .setFilter(filter)
                                                            .setPageToken(token)
                                                            .build()),
                            ListTrustDomainsResponse::getTrustDomainsList,
                            ListTrustDomainsResponse::getNextPageToken);
        }
        if (options.forPrograms()) {
            options.print(ListTrustDomainsResponse.newBuilder().addAllTrustDomains(all));
        } else {
            TdPrinter.printList(options, all);
        }
        return ExitCodes.OK;
    }
}
