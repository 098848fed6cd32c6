// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.longrunning.Operation;
import com.google.protobuf.Empty;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageOrBuilder;
import com.google.protobuf.util.JsonFormat;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.PreconditionFailure;
import com.google.rpc.QuotaFailure;
import com.google.rpc.ResourceInfo;
import com.google.rpc.RetryInfo;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.TrustDomainOperationMetadata;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.logging.Level;
import java.util.logging.Logger;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What all client commands take, and how they speak to server and user. */
final class ClientOptions {
    /** Held for as long as the process lives: loggers are forgotten otherwise. */
    private static final Logger GRPC_LOG = Logger.getLogger("io.grpc");

    private static final JsonFormat.Printer JSON =
            JsonFormat.printer()
                    .preservingProtoFieldNames()
                    .usingTypeRegistry(
                            JsonFormat.TypeRegistry.newBuilder()
                                    .add(Empty.getDescriptor())
                                    .add(TrustDomain.getDescriptor())
                                    .add(TrustDomainOperationMetadata.getDescriptor())
                                    .add(Operation.getDescriptor())
                                    .add(ErrorInfo.getDescriptor())
                                    .add(BadRequest.getDescriptor())
                                    .add(PreconditionFailure.getDescriptor())
                                    .add(QuotaFailure.getDescriptor())
                                    .add(RetryInfo.getDescriptor())
                                    .add(ResourceInfo.getDescriptor())
                                    .build());

    @Spec(Spec.Target.MIXEE)
    private CommandSpec spec;

    @Option(
            names = "--server",
            paramLabel = "HOST:PORT",
            defaultValue = "${SEAMLAB_SERVER:-127.0.0.1:9870}",
            description = "Server to talk to (or SEAMLAB_SERVER; default: 127.0.0.1:9870).")
    private String server;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "FORMAT",
            defaultValue = "table",
            description = "table, wide, json or yaml (default: ${DEFAULT-VALUE}).")
    private Format format;

    @Option(
            names = "--timeout",
            paramLabel = "SECONDS",
            defaultValue = "30",
            description = "How long to wait for one answer (default: ${DEFAULT-VALUE}).")
    private int timeoutSeconds;

    @Mixin private Security security;

    /** Opens the connection. */
    Client connect() {
        GRPC_LOG.setLevel(Level.SEVERE);
        return new Client(
                server,
                security.credentials(),
                security.bearer(),
                Duration.ofSeconds(timeoutSeconds));
    }

    /** Whether whole messages are wanted, for {@link #print}, not tables. */
    boolean forPrograms() {
        return format.forPrograms();
    }

    /** Whether tables should have all columns. */
    boolean wide() {
        return format == Format.WIDE;
    }

    /** For what is told beside the output. */
    PrintWriter err() {
        return spec.commandLine().getErr();
    }

    PrintWriter out() {
        return spec.commandLine().getOut();
    }

    /** An operation that nobody waits for: its name, or all of it for programs. */
    void printOperation(Operation operation) {
        answer(operation, operation.getName());
    }

    /** An answer: whole for programs, a line for people. */
    void answer(MessageOrBuilder message, String line) {
        if (forPrograms()) {
            print(message);
        } else {
            out().println(line);
            out().flush();
        }
    }

    /** Prints a message whole, as JSON or YAML. */
    void print(MessageOrBuilder message) {
        try {
            out().print(format.write(JSON, message));
            out().flush();
        } catch (InvalidProtocolBufferException e) {
            throw new IllegalStateException("a message of ours has an unknown type inside", e);
        }
    }
}
