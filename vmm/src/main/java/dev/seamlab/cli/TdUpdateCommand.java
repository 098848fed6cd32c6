// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.protobuf.FieldMask;
import dev.seamlab.v1.GetTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.UpdateTrustDomainRequest;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code seamlab td update}. */
@Command(
        name = "update",
        description = "Changes the display name and the labels of a trust domain, in any state.",
        footer = {
            "",
            "Examples:",
            "  seamlab td update web --label team=kvm --label tier=front",
            "  seamlab td update web --remove-label tier --display-name 'the front'"
        })
final class TdUpdateCommand implements Callable<Integer> {
    @Mixin private ClientOptions options;
    @Mixin private TdNameParameter name;
    @Spec private CommandSpec spec;

    @Option(names = "--display-name", paramLabel = "TEXT", description = "A name for people.")
    private @Nullable String displayName;

    @Option(
            names = "--label",
            paramLabel = "KEY=VALUE",
            description = "A label to set; may be repeated.")
    private Map<String, String> labels = Map.of();

    @Option(
            names = "--remove-label",
            paramLabel = "KEY",
            description = "A label to take away; may be repeated.")
    private List<String> removed = List.of();

    @Override
    public Integer call() {
        FieldMask.Builder mask = FieldMask.newBuilder();
        TrustDomain.Builder wanted = TrustDomain.newBuilder().setName(name.get());
        if (displayName != null) {
            mask.addPaths("display_name");
            wanted.setDisplayName(displayName);
        }
        boolean relabel = !labels.isEmpty() || !removed.isEmpty();
        if (!relabel && displayName == null) {
            throw new ParameterException(
                    spec.commandLine(),
                    "nothing to change: give --display-name, --label or --remove-label");
        }
        try (Client client = options.connect()) {
            if (relabel) {
                mask.addPaths("labels");
                relabel(client, wanted);
            }
            TdPrinter.print(
                    options,
                    client.trustDomains()
                            .updateTrustDomain(
                                    UpdateTrustDomainRequest.newBuilder()
                                            .setTrustDomain(wanted)
                                            .setUpdateMask(mask)
                                            .build()));
        }
        return ExitCodes.OK;
    }

    /** Labels are replaced as a whole, so the others are read first; the etag guards them. */
    private void relabel(Client client, TrustDomain.Builder wanted) {
        TrustDomain now =
                client.trustDomains()
                        .getTrustDomain(
                                GetTrustDomainRequest.newBuilder().setName(name.get()).build());
        Map<String, String> all = new HashMap<>(now.getLabelsMap());
        all.putAll(labels);
        all.keySet().removeAll(removed);
        wanted.putAllLabels(all).setEtag(now.getEtag());
    }
}
