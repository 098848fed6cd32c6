// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.host;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.control.GrpcLab;
import dev.seamlab.v1.Cmr;
import dev.seamlab.v1.GetHostRequest;
import dev.seamlab.v1.GetModuleInfoRequest;
import dev.seamlab.v1.HostCpu;
import dev.seamlab.v1.HostInfo;
import dev.seamlab.v1.KeyId;
import dev.seamlab.v1.ListCmrsRequest;
import dev.seamlab.v1.ListCpusRequest;
import dev.seamlab.v1.ListKeyIdsRequest;
import dev.seamlab.v1.ListTdmrsRequest;
import dev.seamlab.v1.ModuleFeature;
import dev.seamlab.v1.ModuleInfo;
import dev.seamlab.v1.PamtUsage;
import dev.seamlab.v1.ReservedArea;
import dev.seamlab.v1.Tdmr;
import io.quarkus.test.junit.QuarkusTest;
import java.util.List;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the host is made of, over real gRPC. */
@QuarkusTest
class HardwareServiceTest {
    private static final long GIB = 1L << 30;

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
    void module_saysItsFeaturesByName() {
        ModuleInfo info = lab.host().getModuleInfo(GetModuleInfoRequest.getDefaultInstance());
        assertThat(info.getVersion()).isEqualTo("1.5.25");
        assertThat(info.getPamtPageBitmapEntryBits()).isEqualTo(1);
        assertThat(info.getFeaturesList())
                .contains(feature(36, "DYNAMIC_PAMT", true), feature(18, "NO_RBP_MOD", true))
                .contains(feature(51, "ENHANCED_DEMOTE_INTERRUPTIBILITY", false));
        long word = 0;
        for (ModuleFeature feature : info.getFeaturesList()) {
            word |= feature.getSupported() ? 1L << feature.getBit() : 0;
            assertThat(feature.getName()).as("name of bit " + feature.getBit()).isNotEmpty();
        }
        assertThat(word).isEqualTo(info.getFeatures0());
    }

    private static ModuleFeature feature(int bit, String name, boolean supported) {
        return ModuleFeature.newBuilder().setBit(bit).setName(name).setSupported(supported).build();
    }

    @Test
    void tdmrs_lieInCmrsButForWhatIsReserved_andHoldAllOfPamt() {
        List<Cmr> cmrs = lab.host().listCmrs(ListCmrsRequest.getDefaultInstance()).getCmrsList();
        List<Tdmr> tdmrs =
                lab.host().listTdmrs(ListTdmrsRequest.getDefaultInstance()).getTdmrsList();
        assertThat(tdmrs).isNotEmpty();
        long pamt = 0;
        for (Tdmr tdmr : tdmrs) {
            assertThat(tdmr.getBaseHpa() % GIB).isZero();
            assertThat(tdmr.getSizeBytes() % GIB).isZero();
            assertThat(tdmr.getPamt2M().getBaseHpa())
                    .isEqualTo(tdmr.getPamt4K().getBaseHpa() + tdmr.getPamt4K().getSizeBytes());
            assertThat(tdmr.getPamtNode()).isNotNegative();
            pamt +=
                    tdmr.getPamt4K().getSizeBytes()
                            + tdmr.getPamt2M().getSizeBytes()
                            + tdmr.getPamt1G().getSizeBytes();
            long at = tdmr.getBaseHpa();
            for (ReservedArea area : tdmr.getReservedAreasList()) {
                assertThat(area.getBaseHpa()).isGreaterThanOrEqualTo(at);
                assertConvertible(cmrs, at, area.getBaseHpa());
                at = area.getBaseHpa() + area.getSizeBytes();
            }
            assertConvertible(cmrs, at, tdmr.getBaseHpa() + tdmr.getSizeBytes());
        }
        PamtUsage usage = lab.memory().getPamt();
        assertThat(pamt)
                .isEqualTo(
                        usage.getLevel1GBytes()
                                + usage.getLevel2MBytes()
                                + usage.getLevel4KBytes());
    }

    private static void assertConvertible(List<Cmr> cmrs, long from, long to) {
        if (from < to) {
            assertThat(cmrs)
                    .anyMatch(cmr ->
                            cmr.getBaseHpa() <= from
                                    && to <= cmr.getBaseHpa() + cmr.getSizeBytes());
        }
    }

    @Test
    void keyIds_showWhoHasThem() {
        List<KeyId> before = keyIds();
        assertThat(before.getFirst().getState()).isEqualTo(KeyId.State.GLOBAL);
        assertThat(before.subList(1, before.size()))
                .allMatch(keyId -> keyId.getState() == KeyId.State.FREE);
        String name = lab.create("keyed", "idle");
        int hkid = lab.get(name).getKeyId();
        assertThat(keyIds())
                .contains(
                        KeyId.newBuilder()
                                .setHkid(hkid)
                                .setState(KeyId.State.ASSIGNED)
                                .setTrustDomain(name)
                                .build());
        assertThat(lab.delete(name).getDone()).isTrue();
        assertThat(keyIds()).isEqualTo(before);
    }

    private List<KeyId> keyIds() {
        return lab.host().listKeyIds(ListKeyIdsRequest.getDefaultInstance()).getKeyIdsList();
    }

    @Test
    void cpus_areAllOfThem() {
        HostInfo host = lab.host().getHost(GetHostRequest.getDefaultInstance());
        List<HostCpu> cpus =
                lab.host().listCpus(ListCpusRequest.getDefaultInstance()).getCpusList();
        assertThat(cpus).hasSize(host.getCpuCount()).allMatch(HostCpu::getOnline);
        assertThat(cpus.stream().map(HostCpu::getPackage).distinct())
                .hasSize(host.getPackageCount());
    }
}
