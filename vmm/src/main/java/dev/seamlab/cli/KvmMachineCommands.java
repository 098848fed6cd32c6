// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.CreateVmRequest;
import dev.seamlab.v1.DeleteVmRequest;
import dev.seamlab.v1.FinalizeVmRequest;
import dev.seamlab.v1.GetVmRequest;
import dev.seamlab.v1.KvmGrpc;
import dev.seamlab.v1.ListVmsRequest;
import dev.seamlab.v1.ListVmsResponse;
import dev.seamlab.v1.TerminateVmRequest;
import dev.seamlab.v1.Vm;
import java.util.List;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** The commands of {@code seamlab kvm} that are about a virtual machine as a whole. */
final class KvmMachineCommands {
    private KvmMachineCommands() {}

    /** What kind of machine. */
    enum Type {
        TDX(Vm.Type.TDX),
        ORDINARY(Vm.Type.ORDINARY);

        private final Vm.Type proto;

        Type(Vm.Type proto) {
            this.proto = proto;
        }
    }

    /** {@code seamlab kvm create-vm}. */
    @Command(
            name = "create-vm",
            description = "KVM_CREATE_VM: a machine without memory, vCPUs and KeyID.",
            footer = {
                "",
                "Examples:",
                "  seamlab kvm create-vm lab",
                "  seamlab kvm create-vm plain --type ordinary"
            })
    static final class CreateVm extends KvmStep {
        @Parameters(
                arity = "0..1",
                paramLabel = "ID",
                description = "Last part of its name; the server chooses one otherwise.")
        private String id = "";

        @Option(
                names = "--type",
                paramLabel = "TYPE",
                defaultValue = "tdx",
                description = "tdx or ordinary (default: ${DEFAULT-VALUE}).")
        private Type type;

        @Override
        void call(KvmGrpc.KvmBlockingStub kvm) {
            Vm vm =
                    kvm.createVm(
                            CreateVmRequest.newBuilder()
                                    .setVmId(id)
                                    .setVm(Vm.newBuilder().setType(type.proto))
                                    .build());
            show(vm, () -> out().println(vm.getName()));
        }
    }

    /** {@code seamlab kvm list}. */
    @Command(name = "list", description = "Lists the machines of this service.")
    static final class ListAll extends KvmStep {
        @Override
        void call(KvmGrpc.KvmBlockingStub kvm) {
            List<Vm> all =
                    Pages.all(
                            token ->
                                    kvm.listVms(
                                            ListVmsRequest.newBuilder()
                                                    .setPageToken(token)
                                                    .build()),
                            ListVmsResponse::getVmsList,
                            ListVmsResponse::getNextPageToken);
            show(ListVmsResponse.newBuilder().addAllVms(all).build(), () -> table(all));
        }
    }

    /** {@code seamlab kvm describe}. */
    @Command(name = "describe", description = "Shows a machine; its memory slots with -o wide.")
    static final class Describe extends KvmStep {
        @Mixin private Machine vm;

        @Override
        void call(KvmGrpc.KvmBlockingStub kvm) {
            show(kvm.getVm(GetVmRequest.newBuilder().setName(vm.get()).build()));
        }
    }

    /** {@code seamlab kvm finalize}. */
    @Command(
            name = "finalize",
            description = "KVM_TDX_FINALIZE_VM: MRTD is final, and vCPUs may run.",
            footer = {"", "Example:", "  seamlab kvm finalize lab"})
    static final class FinalizeVm extends KvmStep {
        @Mixin private Machine vm;

        @Override
        void call(KvmGrpc.KvmBlockingStub kvm) {
            show(kvm.finalizeVm(FinalizeVmRequest.newBuilder().setName(vm.get()).build()));
        }
    }

    /** {@code seamlab kvm terminate}. */
    @Command(
            name = "terminate",
            description = "KVM_TDX_TERMINATE_VM: releases the KeyID; memory is held until destroy.",
            footer = {"", "Example:", "  seamlab kvm terminate lab"})
    static final class Terminate extends KvmStep {
        @Mixin private Machine vm;

        @Override
        void call(KvmGrpc.KvmBlockingStub kvm) {
            show(kvm.terminateVm(TerminateVmRequest.newBuilder().setName(vm.get()).build()));
        }
    }

    /** {@code seamlab kvm destroy}. */
    @Command(
            name = "destroy",
            description = "Closes a machine: calls on it come back, and the host gets everything.",
            footer = {"", "Example:", "  seamlab kvm destroy lab"})
    static final class Destroy extends KvmStep {
        @Mixin private Machine vm;

        @Override
        void call(KvmGrpc.KvmBlockingStub kvm) {
            show(kvm.deleteVm(DeleteVmRequest.newBuilder().setName(vm.get()).build()), () -> {});
        }
    }
}
