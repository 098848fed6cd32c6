// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.Status;
import dev.seamlab.control.host.BadSettingException;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.stream.Collectors;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;

/** Turns whatever ends a command into one line (what, which field, how to mend it) and a code. */
final class Failures {
    private Failures() {}

    /** For picocli. */
    static int handle(Exception e, CommandLine commandLine, CommandLine.ParseResult parsed) {
        CommandFailure failure = of(e);
        commandLine.getErr().println("seamlab: " + failure.getMessage());
        if (failure.exitCode() == ExitCodes.INTERNAL) {
            e.printStackTrace(commandLine.getErr());
        }
        commandLine.getErr().flush();
        return failure.exitCode();
    }

    static CommandFailure of(Throwable e) {
        return switch (e) {
            case CommandFailure failure -> failure;
            case StatusRuntimeException refused -> of(refused);
            case BadSettingException bad ->
                    new CommandFailure(ExitCodes.BAD_INPUT, "--" + message(bad));
            default -> new CommandFailure(ExitCodes.INTERNAL, "unexpected error: " + e);
        };
    }

    /** An error that came inside an operation or a resource. */
    static CommandFailure of(Status status) {
        return new CommandFailure(
                ExitCodes.of(io.grpc.Status.fromCodeValue(status.getCode()).getCode()),
                line(status));
    }

    private static CommandFailure of(StatusRuntimeException e) {
        Status status = StatusProto.fromThrowable(e);
        io.grpc.Status.Code code = e.getStatus().getCode();
        if (status == null || status.getDetailsCount() == 0) {
            return new CommandFailure(ExitCodes.of(code), withoutDetails(e.getStatus()));
        }
        return new CommandFailure(ExitCodes.of(code), line(status));
    }

    private static String withoutDetails(io.grpc.Status status) {
        return switch (status.getCode()) {
            case UNAVAILABLE ->
                    "cannot reach the server: start one with `seamlab serve`, name another with"
                            + " --server HOST:PORT, or mend --tls, --ca, --cert and --key"
                            + because(status);
            case DEADLINE_EXCEEDED ->
                    "the server did not answer in time: try again, or allow more with --timeout";
            default -> status.getCode() + ": " + status.getDescription();
        };
    }

    /** What TLS has to say, which is never in the description. */
    private static String because(io.grpc.Status status) {
        for (Throwable cause = status.getCause(); cause != null; cause = cause.getCause()) {
            if (cause instanceof SSLException) {
                return " (" + cause.getMessage() + ")";
            }
        }
        return "";
    }

    private static String line(Status status) {
        BadRequest bad = find(status, BadRequest.class);
        if (bad != null && bad.getFieldViolationsCount() > 0) {
            return bad.getFieldViolationsList().stream()
                    .map(v -> v.getField() + ": " + v.getDescription())
                    .collect(Collectors.joining("; "));
        }
        ErrorInfo info = find(status, ErrorInfo.class);
        String reason = info == null || info.getReason().isEmpty() ? "" : info.getReason() + ": ";
        return reason + status.getMessage();
    }

    private static <M extends com.google.protobuf.Message> @Nullable M find(
            Status status, Class<M> type) {
        for (Any detail : status.getDetailsList()) {
            if (detail.is(type)) {
                try {
                    return detail.unpack(type);
                } catch (InvalidProtocolBufferException e) {
                    return null;
                }
            }
        }
        return null;
    }

    private static String message(Exception e) {
        String message = e.getMessage();
        return message == null ? e.toString() : message;
    }
}
