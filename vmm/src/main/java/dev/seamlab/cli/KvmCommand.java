// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** {@code seamlab kvm}. */
@Command(
        name = "kvm",
        description = "Drives KVM step by step, ioctl by ioctl, as a VMM does.",
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            KvmMachineCommands.CreateVm.class,
            KvmMachineCommands.ListAll.class,
            KvmMachineCommands.Describe.class,
            KvmBuildCommands.Capabilities.class,
            KvmBuildCommands.SetMemory.class,
            KvmBuildCommands.SetAttributes.class,
            KvmBuildCommands.InitVm.class,
            KvmVcpuCommands.CreateVcpu.class,
            KvmVcpuCommands.InitVcpu.class,
            KvmVcpuCommands.Cpuid.class,
            KvmBuildCommands.InitMemRegion.class,
            KvmMachineCommands.FinalizeVm.class,
            KvmVcpuCommands.PreFault.class,
            KvmVcpuCommands.Run.class,
            KvmMachineCommands.Terminate.class,
            KvmMachineCommands.Destroy.class
        },
        footer = {
            "",
            "Example: a trust domain by hand",
            "  seamlab kvm create-vm lab",
            "  seamlab kvm set-memory lab 0x0 4M",
            "  seamlab kvm init-vm lab",
            "  seamlab kvm create-vcpu lab",
            "  seamlab kvm init-vcpu lab",
            "  seamlab kvm set-attributes lab 0x0 4M private",
            "  seamlab kvm init-mem-region lab 0x1000 --pages 3 --measure",
            "  seamlab kvm finalize lab",
            "  seamlab kvm run lab 'accept 0x100000+64k 4k'",
            "  seamlab kvm terminate lab",
            "  seamlab kvm destroy lab",
            "",
            "An ioctl that fails says its errno: EINVAL, E2BIG and EFAULT exit with 2, EIO, EEXIST, EBUSY",
            "and the like with 3, ENOMEM and ENOSPC with 4."
        })
final class KvmCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;

    @Override
    public Integer call() {
        spec.commandLine().usage(spec.commandLine().getErr());
        return ExitCodes.BAD_INPUT;
    }
}
