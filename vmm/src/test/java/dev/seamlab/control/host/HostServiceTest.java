// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.host;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.rpc.BadRequest;
import dev.seamlab.control.GrpcLab;
import dev.seamlab.v1.GetHostRequest;
import dev.seamlab.v1.HostAttribute;
import dev.seamlab.v1.HostCpu;
import dev.seamlab.v1.HostInfo;
import dev.seamlab.v1.SetCpuOnlineRequest;
import io.grpc.Status;
import io.quarkus.test.junit.QuarkusTest;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The host as a whole and its CPUs, over real gRPC. */
@QuarkusTest
class HostServiceTest {
    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    private GrpcLab lab;

    @BeforeEach
    void connect() {
        lab = new GrpcLab(port);
    }

    @AfterEach
    void everythingIsAsBefore() {
        lab.close();
    }

    @Test
    void host_tellsWhatItIsMadeOf() {
        HostInfo host = lab.host().getHost(GetHostRequest.getDefaultInstance());
        assertThat(host.getProfile()).isEqualTo("laptop-16g");
        assertThat(host.getPreset()).isEqualTo("v4");
        assertThat(host.getDynamicPamt()).isTrue();
        assertThat(host.getModuleVersion()).isEqualTo("1.5.25");
        assertThat(host.getMemoryRangesList()).hasSize(2);
        assertThat(host.getBootLogList()).anyMatch(line -> line.contains("PAMT"));
        assertThat(host.getGuestProgramsList()).isNotEmpty();
        assertThat(host.getPamt().getStaticEquivalentBytes())
                .isGreaterThan(host.getMemoryBytes() / 256);
    }

    @Test
    void host_showsTheModulesAttributes() {
        HostInfo host = lab.host().getHost(GetHostRequest.getDefaultInstance());
        assertThat(host.getAttributesList())
                .contains(
                        HostAttribute.newBuilder().setName("version").setValue("1.5.25").build(),
                        HostAttribute.newBuilder().setName("max_tdmrs").setValue("64").build());
        assertThat(host.getOfflineCpusList()).isEmpty();
    }

    @Test
    void cpu_goesOfflineAndOnline_butNotTheLastOne() {
        int cpus = lab.host().getHost(GetHostRequest.getDefaultInstance()).getCpuCount();
        try {
            for (int cpu = 1; cpu < cpus; cpu++) {
                assertThat(setCpu(cpu, false).getOnline()).isFalse();
            }
            assertThat(
                            lab.host()
                                    .getHost(GetHostRequest.getDefaultInstance())
                                    .getOfflineCpusCount())
                    .isEqualTo(cpus - 1);
            assertThat(GrpcLab.code(() -> setCpu(0, false)))
                    .isEqualTo(Status.Code.FAILED_PRECONDITION);
            assertThat(GrpcLab.code(() -> setCpu(cpus, false)))
                    .isEqualTo(Status.Code.INVALID_ARGUMENT);
            assertThat(GrpcLab.code(() -> setCpu(-1, false)))
                    .isEqualTo(Status.Code.INVALID_ARGUMENT);
        } finally {
            for (int cpu = 0; cpu < cpus; cpu++) {
                assertThat(setCpu(cpu, true).getOnline()).isTrue();
            }
        }
    }

    @Test
    void cpu_withoutSayingWhichOrWhereTo_isRefusedByField() {
        SetCpuOnlineRequest nothing = SetCpuOnlineRequest.getDefaultInstance();
        assertThat(
                        GrpcLab.field(() ->
                                lab.host().setCpuOnline(nothing.toBuilder().setCpu(0).build())))
                .isEqualTo("online");
        assertThat(
                        GrpcLab.field(() ->
                                lab.host()
                                        .setCpuOnline(
                                                nothing.toBuilder().setOnline(false).build())))
                .isEqualTo("cpu");
        BadRequest both =
                GrpcLab.detail(
                        GrpcLab.refused(() -> lab.host().setCpuOnline(nothing)), BadRequest.class);
        assertThat(both.getFieldViolationsList())
                .extracting(BadRequest.FieldViolation::getField)
                .containsExactly("cpu", "online");
        assertThat(lab.host().getHost(GetHostRequest.getDefaultInstance()).getOfflineCpusList())
                .isEmpty();
    }

    private HostCpu setCpu(int cpu, boolean online) {
        return lab.host()
                .setCpuOnline(
                        SetCpuOnlineRequest.newBuilder().setCpu(cpu).setOnline(online).build());
    }
}
