// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.longrunning.Operation;
import com.google.longrunning.OperationsGrpc;
import com.google.longrunning.WaitOperationRequest;
import com.google.rpc.Code;
import dev.seamlab.v1.CreateTrustDomainRequest;
import dev.seamlab.v1.DeleteTrustDomainRequest;
import dev.seamlab.v1.GetHostRequest;
import dev.seamlab.v1.HostGrpc;
import dev.seamlab.v1.TrustDomainsGrpc;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** How somebody else's tests use Seamlab as their TDX host; docs/ci-recipe.md. */
class CiRecipeIT {
    @RegisterExtension static final SeamlabHost HOST = SeamlabHost.with("--profile=laptop-16g");

    @Test
    void aHostOutOfKeyIds_saysSo_andHasOneAgainAfterADelete() {
        int keyIds =
                HostGrpc.newBlockingStub(HOST.channel())
                        .getHost(GetHostRequest.getDefaultInstance())
                        .getKeyIds()
                        .getFree();
        List<String> names = new ArrayList<>();
        for (int i = 0; i < keyIds; i++) {
            assertThat(create("full-" + i).hasError()).isFalse();
            names.add("trustDomains/full-" + i);
        }
        Operation refused = create("one-more");
        assertThat(refused.getError().getCode()).isEqualTo(Code.RESOURCE_EXHAUSTED.getNumber());

        delete(names.removeLast());
        assertThat(create("one-more").hasError()).isFalse();
        names.add("trustDomains/one-more");
        names.forEach(CiRecipeIT::delete);
    }

    private static Operation create(String id) {
        return await(
                TrustDomainsGrpc.newBlockingStub(HOST.channel())
                        .createTrustDomain(
                                CreateTrustDomainRequest.newBuilder()
                                        .setTrustDomainId(id)
                                        .setTrustDomain(Server.smallTdRunning("idle"))
                                        .build()));
    }

    private static void delete(String name) {
        assertThat(
                        await(
                                        TrustDomainsGrpc.newBlockingStub(HOST.channel())
                                                .deleteTrustDomain(
                                                        DeleteTrustDomainRequest.newBuilder()
                                                                .setName(name)
                                                                .build()))
                                .hasError())
                .isFalse();
    }

    private static Operation await(Operation operation) {
        Operation now = operation;
        while (!now.getDone()) {
            now =
                    OperationsGrpc.newBlockingStub(HOST.channel())
                            .waitOperation(
                                    WaitOperationRequest.newBuilder()
                                            .setName(operation.getName())
                                            .build());
        }
        return now;
    }
}
