// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.longrunning.Operation;
import com.google.longrunning.OperationsGrpc;
import com.google.longrunning.WaitOperationRequest;
import dev.seamlab.v1.CreateTrustDomainRequest;
import dev.seamlab.v1.DeleteTrustDomainRequest;
import dev.seamlab.v1.GuestProgram;
import dev.seamlab.v1.PauseTrustDomainRequest;
import dev.seamlab.v1.ResumeTrustDomainRequest;
import dev.seamlab.v1.StopTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.TrustDomainsGrpc;
import dev.seamlab.v1.WatchTrustDomainRequest;
import dev.seamlab.v1.WatchTrustDomainResponse;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.netty.NegotiationType;
import io.grpc.netty.NettyChannelBuilder;
import io.quarkus.test.junit.QuarkusTest;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.Test;

/** A client that does not read what it asked to be told. */
@QuarkusTest
class SlowWatchTest {
    /** What the connection itself buffers for one stream; the smallest that HTTP/2 begins with. */
    private static final int WINDOW = 65_535;

    private static final int PAUSES = 1500;

    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    @Test
    void aWatcherThatDoesNotRead_isGivenUp_andWhatItMissedIsKeptNowhere() throws Exception {
        ManagedChannel channel =
                NettyChannelBuilder.forAddress("127.0.0.1", port)
                        .negotiationType(NegotiationType.PLAINTEXT)
                        .flowControlWindow(WINDOW)
                        .build();
        try {
            TrustDomainsGrpc.TrustDomainsBlockingStub tds =
                    TrustDomainsGrpc.newBlockingStub(channel);
            String name = "trustDomains/slow";
            finish(
                    channel,
                    tds.createTrustDomain(
                            CreateTrustDomainRequest.newBuilder()
                                    .setTrustDomainId("slow")
                                    .setStart(true)
                                    .setTrustDomain(
                                            TrustDomain.newBuilder()
                                                    .setMemoryBytes(16 << 20)
                                                    .setGuestProgram(
                                                            GuestProgram.newBuilder()
                                                                    .setText(
                                                                            "loop 1000000000000 {"
                                                                                    + " spin 1"
                                                                                    + " }")))
                                    .build()));
            Watch watch = new Watch(channel, name);
            watch.call.request(1);
            assertThat(watch.next().getTrustDomain().getName()).isEqualTo(name);

            for (int i = 0; i < PAUSES; i++) {
                tds.pauseTrustDomain(PauseTrustDomainRequest.newBuilder().setName(name).build());
                tds.resumeTrustDomain(ResumeTrustDomainRequest.newBuilder().setName(name).build());
            }
            tds.stopTrustDomain(StopTrustDomainRequest.newBuilder().setName(name).build());

            watch.call.request(Integer.MAX_VALUE);
            // The watch was given up, and says how to go on; what was on the way still arrives.
            Status end = watch.closed.get(60, TimeUnit.SECONDS);
            assertThat(end.getCode()).isEqualTo(Status.Code.ABORTED);
            assertThat(end.getDescription()).contains("resume_token");
            // What connection and library buffer, and the changes a watch may lag behind: a
            // fraction of
            // the 3000 changes, and no more however many there are.
            assertThat(
                            watch.heard.stream()
                                    .mapToInt(WatchTrustDomainResponse::getSerializedSize)
                                    .sum())
                    .isLessThan(8 * WINDOW);
            assertThat(watch.heard).hasSizeLessThan(PAUSES);

            finish(
                    channel,
                    tds.deleteTrustDomain(
                            DeleteTrustDomainRequest.newBuilder().setName(name).build()));
        } finally {
            channel.shutdownNow();
        }
    }

    private static void finish(ManagedChannel channel, Operation begun) {
        Operation now = begun;
        while (!now.getDone()) {
            now =
                    OperationsGrpc.newBlockingStub(channel)
                            .waitOperation(
                                    WaitOperationRequest.newBuilder()
                                            .setName(begun.getName())
                                            .build());
        }
        assertThat(now.hasError()).as(now.toString()).isFalse();
    }

    /** A watch that reads only what is asked for. */
    private static final class Watch extends ClientCall.Listener<WatchTrustDomainResponse> {
        private final ClientCall<WatchTrustDomainRequest, WatchTrustDomainResponse> call;
        private final CompletableFuture<Status> closed = new CompletableFuture<>();
        private final BlockingQueue<WatchTrustDomainResponse> heard = new LinkedBlockingQueue<>();

        Watch(ManagedChannel channel, String name) {
            call =
                    channel.newCall(
                            TrustDomainsGrpc.getWatchTrustDomainMethod(), CallOptions.DEFAULT);
            call.start(this, new Metadata());
            call.sendMessage(WatchTrustDomainRequest.newBuilder().setName(name).build());
            call.halfClose();
        }

        @Override
        public void onMessage(WatchTrustDomainResponse message) {
            heard.add(message);
        }

        @Override
        public void onClose(Status status, Metadata trailers) {
            closed.complete(status);
        }

        WatchTrustDomainResponse next() throws InterruptedException {
            WatchTrustDomainResponse message = heard.poll(60, TimeUnit.SECONDS);
            assertThat(message).as("a message within a minute").isNotNull();
            return message;
        }
    }
}
