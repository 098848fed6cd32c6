// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.GetTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code seamlab td describe}. */
@Command(name = "describe", description = "Shows everything about a trust domain.")
final class TdDescribeCommand implements Callable<Integer> {
    @Mixin private ClientOptions options;
    @Mixin private TdNameParameter name;

    @Override
    public Integer call() {
        try (Client client = options.connect()) {
            TrustDomain td =
                    client.trustDomains()
                            .getTrustDomain(
                                    GetTrustDomainRequest.newBuilder().setName(name.get()).build());
            if (options.forPrograms()) {
                options.print(td);
            } else {
                TdPrinter.describe(options, td);
            }
        }
        return ExitCodes.OK;
    }
}
