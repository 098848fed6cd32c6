// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.CpuidEntry;
import dev.seamlab.v1.CreateVcpuRequest;
import dev.seamlab.v1.GetTdxCpuidRequest;
import dev.seamlab.v1.InitVcpuRequest;
import dev.seamlab.v1.KvmGrpc;
import dev.seamlab.v1.PreFaultVcpuMemoryRequest;
import dev.seamlab.v1.PreFaultVcpuMemoryResponse;
import dev.seamlab.v1.RunKvmVcpuRequest;
import dev.seamlab.v1.RunKvmVcpuResponse;
import dev.seamlab.v1.TdxCpuid;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The commands of {@code seamlab kvm} that are about a vCPU. */
final class KvmVcpuCommands {
    private KvmVcpuCommands() {}

    /** Which vCPU. */
    static final class Index {
        @Option(
                names = "--vcpu",
                paramLabel = "N",
                defaultValue = "0",
                description = "Index of the vCPU (default: ${DEFAULT-VALUE}).")
        private int index;

        int get() {
            return index;
        }
    }

    /** CPUID entries in columns. */
    static Table cpuid(List<CpuidEntry> entries) {
        Table table =
                new Table(
                                Table.Align.LEFT,
                                Table.Align.LEFT,
                                Table.Align.LEFT,
                                Table.Align.LEFT,
                                Table.Align.LEFT,
                                Table.Align.LEFT)
                        .row("LEAF", "SUBLEAF", "EAX", "EBX", "ECX", "EDX");
        for (CpuidEntry entry : entries) {
            table.row(
                    word(entry.getFunction()),
                    entry.hasIndex() ? word(entry.getIndex()) : "-",
                    word(entry.getEax()),
                    word(entry.getEbx()),
                    word(entry.getEcx()),
                    word(entry.getEdx()));
        }
        return table;
    }

    private static String word(int value) {
        return String.format("0x%08X", value);
    }

    /** {@code seamlab kvm create-vcpu}. */
    @Command(
            name = "create-vcpu",
            description = "KVM_CREATE_VCPU: the next vCPU, counted from 0.",
            footer = {"", "Example:", "  seamlab kvm create-vcpu lab"})
    static final class CreateVcpu extends KvmStep {
        @Mixin private Machine vm;

        @Override
        void call(KvmGrpc.KvmBlockingStub kvm) {
            show(kvm.createVcpu(CreateVcpuRequest.newBuilder().setName(vm.get()).build()));
        }
    }

    /** {@code seamlab kvm init-vcpu}. */
    @Command(
            name = "init-vcpu",
            description = "KVM_TDX_INIT_VCPU: builds TDVPR and TDCX pages.",
            footer = {"", "Example:", "  seamlab kvm init-vcpu lab --vcpu 0 --rcx 0x100000"})
    static final class InitVcpu extends KvmStep {
        @Mixin private Machine vm;
        @Mixin private Index vcpu;

        @Option(
                names = "--rcx",
                paramLabel = "GPA",
                converter = HexNumber.class,
                defaultValue = "0",
                description = "Initial RCX: where the TD HOB is (default: ${DEFAULT-VALUE}).")
        private long rcx;

        @Override
        void call(KvmGrpc.KvmBlockingStub kvm) {
            show(
                    kvm.initVcpu(
                            InitVcpuRequest.newBuilder()
                                    .setName(vm.get())
                                    .setVcpu(vcpu.get())
                                    .setInitialRcx(rcx)
                                    .build()));
        }
    }

    /** {@code seamlab kvm cpuid}. */
    @Command(
            name = "cpuid",
            description = "KVM_TDX_GET_CPUID: CPUID as the guest will see it.",
            footer = {"", "Example:", "  seamlab kvm cpuid lab"})
    static final class Cpuid extends KvmStep {
        @Mixin private Machine vm;
        @Mixin private Index vcpu;

        @Option(
                names = "--entries",
                paramLabel = "N",
                description = "Room for so many entries (default: enough).")
        private @Nullable Integer entries;

        @Override
        void call(KvmGrpc.KvmBlockingStub kvm) {
            GetTdxCpuidRequest.Builder request =
                    GetTdxCpuidRequest.newBuilder().setName(vm.get()).setVcpu(vcpu.get());
            if (entries != null) {
                request.setCpuidEntries(entries);
            }
            TdxCpuid answer = kvm.getTdxCpuid(request.build());
            show(answer, () -> cpuid(answer.getEntriesList()).print(out()));
        }
    }

    /** {@code seamlab kvm pre-fault}. */
    @Command(
            name = "pre-fault",
            description = "KVM_PRE_FAULT_MEMORY: maps what a fault on a range would map.",
            footer = {"", "Example:", "  seamlab kvm pre-fault lab 0x100000 64K"})
    static final class PreFault extends KvmStep {
        @Mixin private Range range;
        @Mixin private Index vcpu;

        @Override
        void call(KvmGrpc.KvmBlockingStub kvm) {
            PreFaultVcpuMemoryResponse answer =
                    kvm.preFaultVcpuMemory(
                            PreFaultVcpuMemoryRequest.newBuilder()
                                    .setName(range.vm())
                                    .setVcpu(vcpu.get())
                                    .setGpa(range.gpa())
                                    .setSizeBytes(range.size())
                                    .build());
            show(
                    answer,
                    () ->
                            out().println(
                                            Sizes.show(answer.getGpa() - range.gpa())
                                                    + " mapped, "
                                                    + Sizes.show(answer.getBytesLeft())
                                                    + " left"));
        }
    }

    /** {@code seamlab kvm run}. */
    @Command(
            name = "run",
            description = "KVM_RUN, up to the next exit to user space.",
            footer = {
                "",
                "Examples:",
                "  seamlab kvm run lab 'accept 0x100000+64k 4k; share 0x100000+4k'",
                "  seamlab kvm run lab                 goes on with what is left",
                "  seamlab kvm run plain 'touch 0x0..0x10000'"
            })
    static final class Run extends KvmStep {
        @Mixin private Machine vm;

        @Parameters(
                index = "1",
                arity = "0..1",
                paramLabel = "PROGRAM",
                description = "What the guest does; without it, what is left of the last piece.")
        private String program = "";

        @Mixin private Index vcpu;

        @Override
        void call(KvmGrpc.KvmBlockingStub kvm) {
            RunKvmVcpuResponse answer =
                    kvm.runKvmVcpu(
                            RunKvmVcpuRequest.newBuilder()
                                    .setName(vm.get())
                                    .setVcpu(vcpu.get())
                                    .setText(program)
                                    .build());
            show(
                    answer,
                    () ->
                            out().println(
                                            answer.getExit().getReason()
                                                    + ": "
                                                    + answer.getExit().getText()));
        }
    }
}
