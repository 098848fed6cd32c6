// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.access;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.Code;
import com.google.rpc.ErrorInfo;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.control.contract.Api;
import dev.seamlab.control.contract.Rpc;
import dev.seamlab.control.host.BadSettingException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AccessTest {
    private static final String VIEWER = "viewer-0123456789";
    private static final String OPERATOR = "operator-0123456789";
    private static final String LAB = "lab-0123456789abc";

    private static final String GET = "seamlab.v1.Host/GetHost";
    private static final String START = "seamlab.v1.TrustDomains/StartTrustDomain";
    private static final String CALL = "seamlab.v1.Seamcalls/Call";

    @TempDir Path folder;
    private Access access;

    @BeforeEach
    void readTokens() throws IOException {
        access =
                new Access(
                        Tokens.read(
                                file(
                                        "# who may what\n\n"
                                                + VIEWER
                                                + " viewer\n"
                                                + OPERATOR
                                                + "   operator  the night shift\n"
                                                + LAB
                                                + "\tlab\n")));
    }

    private String file(String text) throws IOException {
        return Files.writeString(folder.resolve("tokens"), text).toString();
    }

    @Test
    void admit_toAnyMethodWithTooLowARole_isDeniedAndSaysWhichItTakes() {
        Map<Role, String> tokens =
                Map.of(Role.VIEWER, VIEWER, Role.OPERATOR, OPERATOR, Role.LAB, LAB);
        for (Rpc rpc : Api.all()) {
            String method = rpc.method().getFullMethodName();
            Role needed = MethodRoles.needed(method);
            tokens.forEach((role, token) -> {
                if (role.covers(needed)) {
                    assertThat(access.admit(method, "Bearer " + token).role()).isEqualTo(role);
                } else {
                    com.google.rpc.Status denied =
                            catchThrowableOfType(
                                            Rejection.class,
                                            () -> access.admit(method, "Bearer " + token))
                                    .status();
                    assertThat(denied.getCode())
                            .as(method)
                            .isEqualTo(Code.PERMISSION_DENIED.getNumber());
                    assertThat(denied.getMessage()).contains(method, needed.text());
                }
            });
        }
    }

    @ParameterizedTest
    @CsvSource({
        GET + "," + VIEWER + ",true",
        GET + "," + OPERATOR + ",true",
        GET + "," + LAB + ",true",
        START + "," + VIEWER + ",false",
        START + "," + OPERATOR + ",true",
        START + "," + LAB + ",true",
        CALL + "," + VIEWER + ",false",
        CALL + "," + OPERATOR + ",false",
        CALL + "," + LAB + ",true",
    })
    void admit_letsEachRoleDoWhatThoseBelowMay(String method, String token, boolean admitted) {
        if (admitted) {
            assertThat(access.admit(method, "Bearer " + token).role())
                    .isGreaterThanOrEqualTo(MethodRoles.needed(method));
        } else {
            Rejection no =
                    catchThrowableOfType(
                            Rejection.class, () -> access.admit(method, "Bearer " + token));
            assertThat(no.status().getCode()).isEqualTo(Code.PERMISSION_DENIED.getNumber());
            assertThat(reason(no)).isEqualTo("ROLE_TOO_LOW");
            assertThat(no.getMessage()).contains(method).doesNotContain(token);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"Bearer nobody-knows-this-one", "Bearer ", "Basic dXNlcjpwdw==", ""})
    void admit_withoutAGoodToken_isUnauthenticated(String header) {
        Rejection no = catchThrowableOfType(Rejection.class, () -> access.admit(GET, header));
        assertThat(no.status().getCode()).isEqualTo(Code.UNAUTHENTICATED.getNumber());
    }

    @Test
    void admit_withoutAHeader_isUnauthenticatedAndSaysWhatToSend() {
        Rejection no = catchThrowableOfType(Rejection.class, () -> access.admit(GET, null));
        assertThat(reason(no)).isEqualTo("NO_TOKEN");
        assertThat(no.getMessage()).contains("authorization: Bearer");
    }

    @Test
    void admit_withoutATokenFile_letsEverybodyDoEverything() {
        assertThat(new Access((Tokens) null).admit(CALL, null).role()).isEqualTo(Role.LAB);
    }

    @ParameterizedTest
    @CsvSource({
        "short viewer, 16 characters",
        "long-enough-01234567, must be 'token role",
        "long-enough-01234567 admin, viewer operator lab",
        "# nothing, no tokens",
    })
    void read_ofABadFile_namesTheLineAndTheRemedy(String line, String says) throws IOException {
        String file = file(line + "\n");
        assertThatThrownBy(() -> Tokens.read(file))
                .isInstanceOf(BadSettingException.class)
                .satisfies(e ->
                        assertThat(e.getMessage().replace(",", ""))
                                .contains("token-file")
                                .contains(says)
                                .doesNotContain("long-enough"));
    }

    @Test
    void read_ofATokenTwice_isRefused() throws IOException {
        String file = file(VIEWER + " viewer\n" + VIEWER + " lab\n");
        assertThatThrownBy(() -> Tokens.read(file)).hasMessageContaining("line 2");
    }

    @Test
    void read_ofNoFile_saysSo() {
        assertThatThrownBy(() -> Tokens.read(folder.resolve("none").toString()))
                .hasMessageContaining("there is no file");
    }

    private static String reason(Rejection no) {
        try {
            return no.status().getDetails(0).unpack(ErrorInfo.class).getReason();
        } catch (InvalidProtocolBufferException e) {
            throw new AssertionError(e);
        }
    }
}
