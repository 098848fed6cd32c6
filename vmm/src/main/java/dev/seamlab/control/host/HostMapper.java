// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.host;

import com.google.protobuf.Timestamp;
import dev.seamlab.guest.Builtin;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.v1.AuditFinding;
import dev.seamlab.v1.AuditReport;
import dev.seamlab.v1.BuiltInGuestProgram;
import dev.seamlab.v1.HostAttribute;
import dev.seamlab.v1.HostCpu;
import dev.seamlab.v1.HostInfo;
import dev.seamlab.v1.HostStatus;
import dev.seamlab.v1.MemoryRange;
import dev.seamlab.vmm.Finding;
import dev.seamlab.vmm.HostMemory;
import dev.seamlab.vmm.Vmm;
import java.time.Instant;
import java.util.List;

/** From the host to what clients see of it. */
final class HostMapper {
    private HostMapper() {}

    static HostInfo toProto(Vmm vmm, String preset, List<String> bootLog, Instant bootTime) {
        MachineProfile profile = vmm.options().profile();
        ModuleProfile module = profile.module();
        HostMemory memory = vmm.memory();
        HostInfo.Builder proto =
                HostInfo.newBuilder()
                        .setProfile(profile.name())
                        .setDescription(profile.description())
                        .setModuleVersion(
                                module.major() + "." + module.minor() + "." + module.update())
                        .setModuleFeatures(module.features0())
                        .setPreset(preset)
                        .setDynamicPamt(vmm.dynamicPamtEnabled())
                        .setPackageCount(profile.packages())
                        .setCpuCount(profile.cpus())
                        .setMemoryBytes(profile.memoryBytes())
                        .setKeyIds(MemoryMapper.keyIds(memory))
                        .addAllBootLog(bootLog)
                        .setBootTime(
                                Timestamp.newBuilder()
                                        .setSeconds(bootTime.getEpochSecond())
                                        .setNanos(bootTime.getNano()))
                        .setPamt(MemoryMapper.pamt(vmm, memory));
        vmm.host()
                .attributes()
                .forEach((name, value) ->
                        proto.addAttributes(
                                HostAttribute.newBuilder().setName(name).setValue(value)));
        proto.addAllOfflineCpus(offlineCpus(vmm));
        for (int node = 0; node < profile.nodes().size(); node++) {
            for (AddressRange range : profile.nodes().get(node).memory()) {
                proto.addMemoryRanges(
                        MemoryRange.newBuilder()
                                .setNode(node)
                                .setStart(range.start())
                                .setEnd(range.end()));
            }
        }
        for (Builtin.Description program : Builtin.all()) {
            proto.addGuestPrograms(
                    BuiltInGuestProgram.newBuilder()
                            .setName(program.name())
                            .setText(Builtin.named(program.name()).text())
                            .setPurpose(program.purpose())
                            .putAllParameters(program.parameters()));
        }
        return proto.build();
    }

    /** What of the host is in use. */
    static HostStatus status(Vmm vmm) {
        HostMemory memory = vmm.memory();
        return HostStatus.newBuilder()
                .setKeyIds(MemoryMapper.keyIds(memory))
                .setFreeBytes(memory.freeBytes())
                .setPamt(MemoryMapper.pamt(vmm, memory))
                .addAllOfflineCpus(offlineCpus(vmm))
                .setTrustDomainCount(vmm.list().size())
                .build();
    }

    private static List<Integer> offlineCpus(Vmm vmm) {
        return vmm.host().cpus().all().stream()
                .filter(cpu -> !cpu.logical().isOnline())
                .map(cpu -> cpu.index())
                .toList();
    }

    static HostCpu toProto(dev.seamlab.host.cpu.HostCpu cpu) {
        return HostCpu.newBuilder()
                .setCpu(cpu.index())
                .setPackage(cpu.packageIndex())
                .setNode(cpu.node())
                .setOnline(cpu.logical().isOnline())
                .build();
    }

    static AuditReport toProto(List<Finding> findings, boolean concurrent) {
        AuditReport.Builder proto = AuditReport.newBuilder().setConcurrent(concurrent);
        for (Finding finding : findings) {
            proto.addFindings(
                    AuditFinding.newBuilder()
                            .setRule(finding.rule())
                            .setSubject(finding.subject())
                            .setDescription(finding.description()));
        }
        return proto.build();
    }
}
