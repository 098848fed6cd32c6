// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.PreconditionFailure;
import dev.seamlab.v1.CreateTrustDomainRequest;
import dev.seamlab.v1.Firmware;
import dev.seamlab.v1.GetTrustDomainRequest;
import dev.seamlab.v1.GuestProgram;
import dev.seamlab.v1.MemoryReport;
import dev.seamlab.v1.StopTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class BadInputIT {
    private static final int BAD_INPUT = 2;

    private static Server server;
    private static MemoryReport atStart;

    @BeforeAll
    static void start() {
        server = Server.start();
        atStart = server.memoryReport();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    @AfterEach
    void nothingWasTouched() {
        assertThat(server.memoryReport()).isEqualTo(atStart);
    }

    static Stream<Arguments> badRequests() {
        TrustDomain.Builder good = Server.smallTdRunning("idle");
        return Stream.of(
                Arguments.of("trust_domain", "x", null),
                Arguments.of("trust_domain_id", "Not_Allowed", good),
                Arguments.of("memory_bytes", "x", good.clone().setMemoryBytes(4097)),
                Arguments.of("memory_bytes", "x", good.clone().setMemoryBytes(-1)),
                Arguments.of("memory_bytes", "x", good.clone().setMemoryBytes(1L << 60)),
                Arguments.of("vcpu_count", "x", good.clone().setVcpuCount(577)),
                Arguments.of("guest_program", "x", good.clone().clearGuestProgram()),
                Arguments.of(
                        "guest_program",
                        "x",
                        good.clone()
                                .setGuestProgram(
                                        GuestProgram.newBuilder().setBuiltIn("no-such-program"))),
                Arguments.of(
                        "guest_program",
                        "x",
                        good.clone().setGuestProgram(GuestProgram.newBuilder().setText("dance"))),
                Arguments.of(
                        "firmware",
                        "x",
                        good.clone()
                                .setFirmware(
                                        Firmware.newBuilder()
                                                .setImage(
                                                        ByteString.copyFrom(new byte[64 << 10])))));
    }

    @ParameterizedTest
    @MethodSource("badRequests")
    void create_withABadField_namesItInABadRequest(String field, String id, TrustDomain.Builder td)
            throws InvalidProtocolBufferException {
        CreateTrustDomainRequest.Builder request =
                CreateTrustDomainRequest.newBuilder().setTrustDomainId(id);
        if (td != null) {
            request.setTrustDomain(td);
        }
        StatusRuntimeException refused =
                catchThrowableOfType(
                        StatusRuntimeException.class,
                        () -> server.trustDomains().createTrustDomain(request.build()));
        assertThat(refused.getStatus().getCode()).isEqualTo(Code.INVALID_ARGUMENT);
        assertThat(detail(refused, ErrorInfo.class).getDomain()).isEqualTo("seamlab.dev");
        assertThat(detail(refused, BadRequest.class).getFieldViolationsList())
                .anySatisfy(violation -> {
                    assertThat(violation.getField()).contains(field);
                    assertThat(violation.getDescription()).isNotBlank();
                });
    }

    @Test
    void get_ofAnUnknownTrustDomain_isNotFoundAndSaysWhich() {
        StatusRuntimeException refused =
                catchThrowableOfType(
                        StatusRuntimeException.class,
                        () ->
                                server.trustDomains()
                                        .getTrustDomain(
                                                GetTrustDomainRequest.newBuilder()
                                                        .setName("trustDomains/nobody")
                                                        .build()));
        assertThat(refused.getStatus().getCode()).isEqualTo(Code.NOT_FOUND);
        assertThat(refused.getStatus().getDescription()).contains("nobody");
    }

    @Test
    void stop_ofATrustDomainThatWasNeverStarted_saysWhatWouldBeLegal()
            throws InvalidProtocolBufferException {
        TrustDomain created = server.create("ready", Server.smallTdRunning("idle"));
        StatusRuntimeException refused =
                catchThrowableOfType(
                        StatusRuntimeException.class,
                        () ->
                                server.trustDomains()
                                        .stopTrustDomain(
                                                StopTrustDomainRequest.newBuilder()
                                                        .setName(created.getName())
                                                        .build()));
        assertThat(refused.getStatus().getCode()).isEqualTo(Code.FAILED_PRECONDITION);
        assertThat(detail(refused, PreconditionFailure.class).getViolationsList()).isNotEmpty();
        assertThat(refused.getStatus().getDescription()).contains("START");
        server.delete(created.getName());
    }

    @Test
    void serve_withABadProfile_endsWith2AndNamesTheField(@TempDir Path folder) throws IOException {
        Path profile = folder.resolve("bad.yaml");
        Files.writeString(
                profile,
                """
                name: bad
                packages: 0
                cpusPerPackage: 4
                physicalBits: 52
                keyIds: {bits: 6, mktme: 31, tdx: 32}
                nodes:
                  - memory: ["0x100000-0x80000000"]
                """);
        Application.Result result = Application.run("serve", "--profile=" + profile);
        assertThat(result.exitCode()).isEqualTo(BAD_INPUT);
        assertThat(result.err()).contains("packages");
    }

    @ParameterizedTest
    @MethodSource("badCommands")
    void command_withABadArgument_endsWith2AndNamesIt(String expected, String[] arguments) {
        Application.Result result = Application.run(arguments);
        assertThat(result.exitCode()).isEqualTo(BAD_INPUT);
        assertThat(result.err()).contains(expected).doesNotContain("\tat ");
    }

    static Stream<Arguments> badCommands() {
        return Stream.of(
                Arguments.of("--bogus", new String[] {"serve", "--bogus"}),
                Arguments.of("no-such-host", new String[] {"serve", "--profile=no-such-host"}),
                Arguments.of("no-such-preset", new String[] {"serve", "--preset=no-such-preset"}),
                Arguments.of("no-such-file", new String[] {"demo", "--firmware=no-such-file"}));
    }

    private static <T extends com.google.protobuf.Message> T detail(
            StatusRuntimeException refused, Class<T> type) throws InvalidProtocolBufferException {
        for (Any any : StatusProto.fromThrowable(refused).getDetailsList()) {
            if (any.is(type)) {
                return any.unpack(type);
            }
        }
        throw new AssertionError("no " + type.getSimpleName() + " in " + refused);
    }
}
