// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.protobuf.ByteString;
import dev.seamlab.v1.CpuidEntry;
import dev.seamlab.v1.GetTdxCapabilitiesRequest;
import dev.seamlab.v1.InitMemRegionRequest;
import dev.seamlab.v1.InitMemRegionResponse;
import dev.seamlab.v1.InitVmRequest;
import dev.seamlab.v1.KvmGrpc;
import dev.seamlab.v1.MemoryAttribute;
import dev.seamlab.v1.MemoryRegion;
import dev.seamlab.v1.SetMemoryAttributesRequest;
import dev.seamlab.v1.SetMemoryRegionRequest;
import dev.seamlab.v1.TdxCapabilities;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The commands of {@code seamlab kvm} that build a virtual machine. */
final class KvmBuildCommands {
    private KvmBuildCommands() {}

    /** {@code seamlab kvm capabilities}. */
    @Command(
            name = "capabilities",
            description = "KVM_TDX_CAPABILITIES: what a TD of this host may be given.",
            footer = {"", "Example:", "  seamlab kvm capabilities lab"})
    static final class Capabilities extends KvmStep {
        @Mixin private Machine vm;

        @Option(
                names = "--entries",
                paramLabel = "N",
                description = "Room for so many CPUID entries (default: enough).")
        private @Nullable Integer entries;

        @Override
        void call(KvmGrpc.KvmBlockingStub kvm) {
            GetTdxCapabilitiesRequest.Builder request =
                    GetTdxCapabilitiesRequest.newBuilder().setName(vm.get());
            if (entries != null) {
                request.setCpuidEntries(entries);
            }
            TdxCapabilities answer = kvm.getTdxCapabilities(request.build());
            show(
                    answer,
                    () -> {
                        new Table(Table.Align.LEFT, Table.Align.LEFT)
                                .row("ATTRIBUTES", Hex.word(answer.getSupportedAttributes()))
                                .row("XFAM", Hex.word(answer.getSupportedXfam()))
                                .gap()
                                .print(out());
                        KvmVcpuCommands.cpuid(answer.getCpuidList()).print(out());
                    });
        }
    }

    /** {@code seamlab kvm set-memory}. */
    @Command(
            name = "set-memory",
            description = "KVM_SET_USER_MEMORY_REGION2: a slot with a guest_memfd of its own.",
            footer = {
                "",
                "Examples:",
                "  seamlab kvm set-memory lab 0x0 64M",
                "  seamlab kvm set-memory lab 0x0 0 --slot 0     deletes the slot"
            })
    static final class SetMemory extends KvmStep {
        @Mixin private Range range;

        @Option(
                names = "--slot",
                paramLabel = "N",
                defaultValue = "0",
                description = "Slot number (default: ${DEFAULT-VALUE}).")
        private int slot;

        @Override
        void call(KvmGrpc.KvmBlockingStub kvm) {
            show(
                    kvm.setMemoryRegion(
                            SetMemoryRegionRequest.newBuilder()
                                    .setName(range.vm())
                                    .setMemoryRegion(
                                            MemoryRegion.newBuilder()
                                                    .setSlot(slot)
                                                    .setGpa(range.gpa())
                                                    .setSizeBytes(range.size()))
                                    .build()));
        }
    }

    /** {@code seamlab kvm set-attributes}. */
    @Command(
            name = "set-attributes",
            description = "KVM_SET_MEMORY_ATTRIBUTES: makes a range private or shared.",
            footer = {"", "Example:", "  seamlab kvm set-attributes lab 0x0 64M private"})
    static final class SetAttributes extends KvmStep {
        @Mixin private Range range;

        @Parameters(index = "3", paramLabel = "ATTRIBUTE", description = "private or shared.")
        private MemoryCommand.Attribute attribute;

        @Override
        void call(KvmGrpc.KvmBlockingStub kvm) {
            show(
                    kvm.setMemoryAttributes(
                            SetMemoryAttributesRequest.newBuilder()
                                    .setName(range.vm())
                                    .setGpa(range.gpa())
                                    .setSizeBytes(range.size())
                                    .setAttribute(
                                            attribute == MemoryCommand.Attribute.PRIVATE
                                                    ? MemoryAttribute.MEMORY_ATTRIBUTE_PRIVATE
                                                    : MemoryAttribute.MEMORY_ATTRIBUTE_SHARED)
                                    .build()));
        }
    }

    /** {@code seamlab kvm init-vm}. */
    @Command(
            name = "init-vm",
            description = "KVM_TDX_INIT_VM: takes a KeyID and builds TDR and TDCS.",
            footer = {
                "",
                "Examples:",
                "  seamlab kvm init-vm lab",
                "  seamlab kvm init-vm lab --gpa-width 52 --max-vcpus 2 --xfam 0x3",
                "  seamlab kvm init-vm lab --cpuid 7.0=0,0x40000,0,0"
            })
    static final class InitVm extends KvmStep {
        /** CPUID leaf with the guest's address width, in bits 16 to 23 of EAX. */
        private static final int ADDRESS_SIZES = 0x8000_0008;

        @Mixin private Machine vm;

        @Option(
                names = "--attributes",
                paramLabel = "BITS",
                converter = HexNumber.class,
                defaultValue = "0",
                description = "ATTRIBUTES (default: ${DEFAULT-VALUE}).")
        private long attributes;

        @Option(
                names = "--xfam",
                paramLabel = "BITS",
                converter = HexNumber.class,
                defaultValue = "0x3",
                description = "XFAM (default: ${DEFAULT-VALUE}).")
        private long xfam;

        @Option(
                names = "--gpa-width",
                paramLabel = "BITS",
                defaultValue = "48",
                description =
                        "48 or 52, as CPUID leaf 0x80000008 says (default: ${DEFAULT-VALUE}).")
        private int gpaWidth;

        @Option(
                names = "--cpuid",
                paramLabel = "LEAF[.SUBLEAF]=EAX,EBX,ECX,EDX",
                converter = CpuidText.class,
                description = "A CPUID entry; may be given more than once.")
        private List<CpuidEntry> cpuid = List.of();

        @Option(
                names = "--max-vcpus",
                paramLabel = "N",
                defaultValue = "0",
                description = "KVM_CAP_MAX_VCPUS before it; 0 leaves what the host offers.")
        private int maxVcpus;

        @Override
        void call(KvmGrpc.KvmBlockingStub kvm) {
            show(
                    kvm.initVm(
                            InitVmRequest.newBuilder()
                                    .setName(vm.get())
                                    .setAttributes(attributes)
                                    .setXfam(xfam)
                                    .setMaxVcpus(maxVcpus)
                                    .addCpuid(
                                            CpuidEntry.newBuilder()
                                                    .setFunction(ADDRESS_SIZES)
                                                    .setEax(gpaWidth << 16))
                                    .addAllCpuid(cpuid)
                                    .build()));
        }
    }

    /** {@code seamlab kvm init-mem-region}. */
    @Command(
            name = "init-mem-region",
            description = "KVM_TDX_INIT_MEM_REGION: adds pages with contents.",
            footer = {
                "",
                "Examples:",
                "  seamlab kvm init-mem-region lab 0x1000 --pages 3 --measure",
                "  seamlab kvm init-mem-region lab 0x100000 --source payload.bin --measure"
            })
    static final class InitMemRegion extends KvmStep {
        private static final int PAGE = 4096;

        /** Most contents of one call. */
        private static final int CHUNK = 1 << 20;

        @Mixin private Machine vm;

        @Parameters(
                index = "1",
                paramLabel = "GPA",
                converter = HexNumber.class,
                description = "First guest physical address, a multiple of 4096.")
        private long gpa;

        @Option(
                names = "--pages",
                paramLabel = "N",
                description = "Pages to add (default: as many as the source has, at least one).")
        private @Nullable Long pages;

        @Option(
                names = "--source",
                paramLabel = "FILE",
                description = "Contents; what is missing is zeroes.")
        private @Nullable Path source;

        @Option(names = "--measure", description = "Extend MRTD with the contents.")
        private boolean measure;

        @Option(
                names = "--vcpu",
                paramLabel = "N",
                defaultValue = "0",
                description =
                        "vCPU through which the command is given (default: ${DEFAULT-VALUE}).")
        private int vcpu;

        @Override
        void call(KvmGrpc.KvmBlockingStub kvm) {
            Path file = source;
            ByteString contents =
                    file == null ? ByteString.EMPTY : InputFiles.read("--source", file);
            Long asked = pages;
            long left = asked != null ? asked : Math.max(1, (contents.size() + PAGE - 1L) / PAGE);
            long at = gpa;
            InitMemRegionResponse answer;
            do {
                int from = (int) Math.min(contents.size(), at - gpa);
                int to = Math.min(contents.size(), from + CHUNK);
                boolean last = to == contents.size();
                long count = last ? left : CHUNK / PAGE;
                answer =
                        kvm.initMemRegion(
                                InitMemRegionRequest.newBuilder()
                                        .setName(vm.get())
                                        .setVcpu(vcpu)
                                        .setGpa(at)
                                        .setSource(contents.substring(from, to))
                                        .setPageCount(Math.min(count, left))
                                        .setMeasure(measure)
                                        .build());
                left -= (answer.getGpa() - at) / PAGE;
                at = answer.getGpa();
            } while (left > 0 && answer.getPagesLeft() == 0);
            InitMemRegionResponse end = answer.toBuilder().setPagesLeft(left).build();
            show(
                    end,
                    () ->
                            out().println(
                                            (end.getGpa() - gpa) / PAGE
                                                    + " pages added, up to "
                                                    + Hex.word(end.getGpa())));
        }
    }
}
