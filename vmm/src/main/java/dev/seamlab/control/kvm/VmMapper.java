// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.kvm;

import com.google.protobuf.ByteString;
import dev.seamlab.v1.CpuidEntry;
import dev.seamlab.v1.InitVmRequest;
import dev.seamlab.v1.KvmVcpu;
import dev.seamlab.v1.MemoryRegion;
import dev.seamlab.v1.TdxCapabilities;
import dev.seamlab.v1.Vm;
import dev.seamlab.vmm.step.StepVmView;
import dev.seamlab.vmm.step.StepVmView.Cpuid;
import dev.seamlab.vmm.step.StepVmView.Region;
import dev.seamlab.vmm.step.StepVmView.VcpuView;
import dev.seamlab.vmm.step.TdxInit;
import java.util.Arrays;

/** Between step-wise virtual machines and what clients see and say of them. */
final class VmMapper {
    private static final int MEASUREMENT_BYTES = 48;
    private static final String PREFIX = "vms/";

    private VmMapper() {}

    static String name(String id) {
        return PREFIX + id;
    }

    /** The id in a name whose form was checked already. */
    static String id(String name) {
        return name.substring(PREFIX.length());
    }

    static Vm toProto(StepVmView vm) {
        Vm.Builder proto =
                Vm.newBuilder()
                        .setName(name(vm.id()))
                        .setType(vm.isTdx() ? Vm.Type.TDX : Vm.Type.ORDINARY)
                        .setState(
                                switch (vm.state()) {
                                    case ORDINARY -> Vm.State.STATE_UNSPECIFIED;
                                    case UNINITIALIZED -> Vm.State.UNINITIALIZED;
                                    case INITIALIZED -> Vm.State.INITIALIZED;
                                    case RUNNABLE -> Vm.State.RUNNABLE;
                                    case TERMINATED -> Vm.State.TERMINATED;
                                    case DEAD -> Vm.State.DEAD;
                                })
                        .setVcpuCount(vm.vcpus())
                        .setKeyId(vm.keyId())
                        .setPrivatePages(vm.privatePages());
        for (Region region : vm.regions()) {
            proto.addMemoryRegions(
                    MemoryRegion.newBuilder()
                            .setSlot(region.slot())
                            .setGpa(region.gpa())
                            .setSizeBytes(region.size()));
        }
        return proto.build();
    }

    static KvmVcpu vcpu(VcpuView vcpu) {
        return KvmVcpu.newBuilder()
                .setVm(name(vcpu.vm()))
                .setIndex(vcpu.index())
                .setInitialized(vcpu.isInitialised())
                .setCpu(vcpu.cpu())
                .build();
    }

    static TdxCapabilities capabilities(StepVmView.TdxCapabilities capabilities) {
        return TdxCapabilities.newBuilder()
                .setSupportedAttributes(capabilities.attributes())
                .setSupportedXfam(capabilities.xfam())
                .addAllKernelTdvmcallInfo(capabilities.kernelTdvmcalls())
                .addAllUserTdvmcallInfo(capabilities.userTdvmcalls())
                .addAllCpuid(capabilities.cpuid().stream().map(VmMapper::cpuid).toList())
                .build();
    }

    static CpuidEntry cpuid(Cpuid entry) {
        CpuidEntry.Builder proto =
                CpuidEntry.newBuilder()
                        .setFunction(entry.function())
                        .setEax(entry.eax())
                        .setEbx(entry.ebx())
                        .setEcx(entry.ecx())
                        .setEdx(entry.edx());
        if (entry.isIndexed()) {
            proto.setIndex(entry.index());
        }
        return proto.build();
    }

    static TdxInit init(InitVmRequest request) {
        return new TdxInit(
                request.getAttributes(),
                request.getXfam(),
                measurement(request.getMrconfigid()),
                measurement(request.getMrowner()),
                measurement(request.getMrownerconfig()),
                request.getCpuidList().stream()
                        .map(e ->
                                new Cpuid(
                                        e.getFunction(),
                                        e.getIndex(),
                                        e.hasIndex(),
                                        e.getEax(),
                                        e.getEbx(),
                                        e.getEcx(),
                                        e.getEdx()))
                        .toList(),
                request.getMaxVcpus(),
                request.getHwError(),
                request.getFlags());
    }

    private static byte[] measurement(ByteString bytes) {
        return Arrays.copyOf(bytes.toByteArray(), MEASUREMENT_BYTES);
    }
}
