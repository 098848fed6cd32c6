// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.metrics;

import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.netty.NettyServerBuilder;
import io.quarkus.test.common.QuarkusTestResourceLifecycleManager;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * An OpenTelemetry collector on loopback: takes what an exporter sends to {@code
 * TraceService/Export}, answers it, and keeps the messages as they came. The server under test is
 * told where it is.
 */
public final class LoopbackCollector implements QuarkusTestResourceLifecycleManager {
    private static final String SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService";

    private final Queue<byte[]> exported = new ConcurrentLinkedQueue<>();
    private Server server;

    @Override
    public Map<String, String> start() {
        try {
            server =
                    NettyServerBuilder.forAddress(
                                    new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                                    InsecureServerCredentials.create())
                            .addService(service())
                            .build()
                            .start();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return Map.of(
                "quarkus.otel.sdk.disabled", "false",
                "quarkus.otel.exporter.otlp.endpoint", "http://127.0.0.1:" + server.getPort(),
                "quarkus.otel.bsp.schedule.delay", "100ms");
    }

    @Override
    public void stop() {
        server.shutdownNow();
    }

    @Override
    public void inject(TestInjector injector) {
        injector.injectIntoFields(
                exported, new TestInjector.AnnotatedAndMatchesType(Exported.class, Queue.class));
    }

    private ServerServiceDefinition service() {
        MethodDescriptor<byte[], byte[]> export =
                MethodDescriptor.<byte[], byte[]>newBuilder()
                        .setType(MethodDescriptor.MethodType.UNARY)
                        .setFullMethodName(SERVICE + "/Export")
                        .setRequestMarshaller(new Bytes())
                        .setResponseMarshaller(new Bytes())
                        .build();
        return ServerServiceDefinition.builder(SERVICE)
                .addMethod(ServerMethodDefinition.create(export, (call, headers) -> taker(call)))
                .build();
    }

    /** Keeps the request and answers with the empty message. */
    private ServerCall.Listener<byte[]> taker(ServerCall<byte[], byte[]> call) {
        call.request(2);
        return new ServerCall.Listener<>() {
            @Override
            public void onMessage(byte[] message) {
                exported.add(message);
            }

            @Override
            public void onHalfClose() {
                call.sendHeaders(new Metadata());
                call.sendMessage(new byte[0]);
                call.close(Status.OK, new Metadata());
            }
        };
    }

    /** Messages as they are on the wire. */
    private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
        @Override
        public InputStream stream(byte[] value) {
            return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
            try {
                return stream.readAllBytes();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
