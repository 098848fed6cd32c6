// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.host;

import dev.seamlab.control.call.TrustDomainName;
import dev.seamlab.host.KeyIds;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.init.PamtChunk;
import dev.seamlab.host.init.ReservedArea;
import dev.seamlab.host.init.SystemInfo;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.seam.abi.Feature;
import dev.seamlab.v1.Cmr;
import dev.seamlab.v1.KeyId;
import dev.seamlab.v1.ListCmrsResponse;
import dev.seamlab.v1.ListCpusResponse;
import dev.seamlab.v1.ListKeyIdsResponse;
import dev.seamlab.v1.ListTdmrsResponse;
import dev.seamlab.v1.ModuleFeature;
import dev.seamlab.v1.ModuleInfo;
import dev.seamlab.v1.PamtSlot;
import dev.seamlab.v1.Tdmr;
import dev.seamlab.vmm.Vmm;
import java.util.HashMap;
import java.util.Map;

/** Module, memory regions, KeyIDs and CPUs, as clients see them. */
final class HardwareMapper {
    private HardwareMapper() {}

    static ModuleInfo module(TdxHost host) {
        SystemInfo info = host.info();
        ModuleInfo.Builder proto =
                ModuleInfo.newBuilder()
                        .setVersion(info.version())
                        .setFeatures0(info.features0())
                        .setMaxTdmrs(info.maxTdmrs())
                        .setMaxReservedPerTdmr(info.maxReservedPerTdmr())
                        .setPamt4KEntryBytes(info.pamt().entry4k())
                        .setPamt2MEntryBytes(info.pamt().entry2m())
                        .setPamt1GEntryBytes(info.pamt().entry1g())
                        .setPamtPageBitmapEntryBits(info.pamt().bitmapBits())
                        .setTdrBytes(info.tdrBytes())
                        .setTdcsBytes(info.tdcsBytes())
                        .setTdvpsBytes(info.tdvpsBytes())
                        .setMaxVcpusPerTd(info.maxVcpusPerTd())
                        .setAttributesFixed0(info.attributesFixed0())
                        .setAttributesFixed1(info.attributesFixed1())
                        .setXfamFixed0(info.xfamFixed0())
                        .setXfamFixed1(info.xfamFixed1());
        Map<Integer, String> names = new HashMap<>();
        for (Feature feature : Feature.values()) {
            names.put(feature.bit(), feature.name());
        }
        for (int bit = 0; bit < Long.SIZE; bit++) {
            boolean set = info.hasFeature(bit);
            if (set || names.containsKey(bit)) {
                proto.addFeatures(
                        ModuleFeature.newBuilder()
                                .setBit(bit)
                                .setName(names.getOrDefault(bit, ""))
                                .setSupported(set));
            }
        }
        return proto.build();
    }

    static ListCmrsResponse cmrs(Vmm vmm) {
        ListCmrsResponse.Builder proto = ListCmrsResponse.newBuilder();
        for (AddressRange cmr : vmm.options().profile().cmrs()) {
            proto.addCmrs(
                    Cmr.newBuilder().setBaseHpa(cmr.start()).setSizeBytes(cmr.end() - cmr.start()));
        }
        return proto.build();
    }

    static ListTdmrsResponse tdmrs(TdxHost host) {
        ListTdmrsResponse.Builder proto = ListTdmrsResponse.newBuilder();
        host.tdmrs().forEach(tdmr -> proto.addTdmrs(tdmr(host, tdmr)));
        return proto.build();
    }

    private static Tdmr tdmr(TdxHost host, dev.seamlab.host.init.Tdmr tdmr) {
        PamtChunk chunk = tdmr.chunk();
        Tdmr.Builder proto =
                Tdmr.newBuilder()
                        .setBaseHpa(tdmr.range().base())
                        .setSizeBytes(tdmr.range().size())
                        .setPamt4K(slot(chunk.base4k(), chunk.layout().bytes4k()))
                        .setPamt2M(slot(chunk.base2m(), chunk.layout().bytes2m()))
                        .setPamt1G(slot(chunk.base1g(), chunk.layout().bytes1g()))
                        .setPamtNode(node(host, chunk.base()));
        for (ReservedArea area : tdmr.reserved()) {
            proto.addReservedAreas(
                    dev.seamlab.v1.ReservedArea.newBuilder()
                            .setBaseHpa(area.start())
                            .setSizeBytes(area.end() - area.start()));
        }
        return proto.build();
    }

    private static PamtSlot slot(@Hpa long base, long bytes) {
        return PamtSlot.newBuilder().setBaseHpa(base).setSizeBytes(bytes).build();
    }

    private static int node(TdxHost host, @Hpa long hpa) {
        return host.memory().blocks().stream()
                .filter(block -> hpa >= block.start() && hpa < block.end())
                .mapToInt(block -> block.node())
                .findFirst()
                .orElse(-1);
    }

    static ListKeyIdsResponse keyIds(Vmm vmm) {
        Map<Integer, String> owners = new HashMap<>();
        vmm.list().forEach(td -> owners.put(td.snapshot().hkid(), TrustDomainName.of(td.id())));
        KeyIds keyIds = vmm.host().keyIds();
        ListKeyIdsResponse.Builder proto =
                ListKeyIdsResponse.newBuilder()
                        .addKeyIds(
                                KeyId.newBuilder()
                                        .setHkid(vmm.host().globalKeyId())
                                        .setState(KeyId.State.GLOBAL));
        for (int hkid = keyIds.first(); hkid < keyIds.first() + keyIds.total(); hkid++) {
            String owner = owners.getOrDefault(hkid, "");
            boolean taken = keyIds.isTaken(hkid);
            proto.addKeyIds(
                    KeyId.newBuilder()
                            .setHkid(hkid)
                            .setState(
                                    !taken
                                            ? KeyId.State.FREE
                                            : owner.isEmpty()
                                                    ? KeyId.State.TAKEN
                                                    : KeyId.State.ASSIGNED)
                            .setTrustDomain(taken ? owner : ""));
        }
        return proto.build();
    }

    static ListCpusResponse cpus(TdxHost host) {
        ListCpusResponse.Builder proto = ListCpusResponse.newBuilder();
        host.cpus().all().forEach(cpu -> proto.addCpus(HostMapper.toProto(cpu)));
        return proto.build();
    }
}
