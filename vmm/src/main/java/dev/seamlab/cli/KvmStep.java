// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.protobuf.Message;
import dev.seamlab.v1.KvmGrpc;
import dev.seamlab.v1.KvmVcpu;
import dev.seamlab.v1.MemoryRegion;
import dev.seamlab.v1.Vm;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** What the commands below {@code seamlab kvm} have in common: one call, and how it is shown. */
abstract class KvmStep implements Callable<Integer> {
    private static final String PREFIX = "vms/";

    @Mixin private ClientOptions options;

    /** The virtual machine that a command is about. */
    static final class Machine {
        @Parameters(
                index = "0",
                paramLabel = "VM",
                description = "Virtual machine, with or without vms/.")
        private String name;

        /** The resource name. */
        String get() {
            return full(name);
        }
    }

    /** A range of memory of a virtual machine. */
    static final class Range {
        @Parameters(
                index = "0",
                paramLabel = "VM",
                description = "Virtual machine, with or without vms/.")
        private String name;

        @Parameters(
                index = "1",
                paramLabel = "GPA",
                converter = HexNumber.class,
                description = "First guest physical address.")
        private long gpa;

        @Parameters(
                index = "2",
                paramLabel = "SIZE",
                converter = Sizes.Converter.class,
                description = "How much, for example 2M.")
        private long size;

        /** The resource name of the machine. */
        String vm() {
            return full(name);
        }

        long gpa() {
            return gpa;
        }

        long size() {
            return size;
        }
    }

    private static String full(String typed) {
        return typed.startsWith(PREFIX) ? typed : PREFIX + typed;
    }

    /** Calls, and shows the answer. */
    abstract void call(KvmGrpc.KvmBlockingStub kvm);

    @Override
    public final Integer call() {
        try (Client client = options.connect()) {
            call(client.kvm());
        }
        return ExitCodes.OK;
    }

    PrintWriter out() {
        return options.out();
    }

    /** Shows an answer: whole for programs, else as it is written here. */
    final void show(Message answer, Runnable forPeople) {
        if (options.forPrograms()) {
            options.print(answer);
        } else {
            forPeople.run();
            out().flush();
        }
    }

    final void show(Vm vm) {
        show(vm, () -> table(List.of(vm)));
    }

    final void show(KvmVcpu vcpu) {
        show(
                vcpu,
                () ->
                        new Table(
                                        Table.Align.LEFT,
                                        Table.Align.RIGHT,
                                        Table.Align.LEFT,
                                        Table.Align.LEFT)
                                .row("VM", "VCPU", "STATE", "CPU")
                                .row(
                                        vcpu.getVm(),
                                        Integer.toString(vcpu.getIndex()),
                                        vcpu.getInitialized() ? "INITIALIZED" : "CREATED",
                                        vcpu.getCpu() < 0 ? "-" : Integer.toString(vcpu.getCpu()))
                                .print(out()));
    }

    /** Machines for people; what memory they show only where there is room for it. */
    final void table(List<Vm> vms) {
        Table table =
                new Table(
                        Table.Align.LEFT,
                        Table.Align.LEFT,
                        Table.Align.LEFT,
                        Table.Align.RIGHT,
                        Table.Align.RIGHT,
                        Table.Align.RIGHT,
                        Table.Align.LEFT);
        table.row(
                "NAME", "TYPE", "STATE", "VCPUS", "KEYID", "PAGES", options.wide() ? "SLOTS" : "");
        for (Vm vm : vms) {
            table.row(
                    vm.getName(),
                    vm.getType().name(),
                    vm.getState() == Vm.State.STATE_UNSPECIFIED ? "-" : vm.getState().name(),
                    Integer.toString(vm.getVcpuCount()),
                    vm.getKeyId() == 0 ? "-" : Integer.toString(vm.getKeyId()),
                    Long.toString(vm.getPrivatePages()),
                    options.wide() ? slots(vm) : "");
        }
        table.print(out());
    }

    private static String slots(Vm vm) {
        return vm.getMemoryRegionsList().stream()
                .map(KvmStep::slot)
                .collect(Collectors.joining(", "));
    }

    private static String slot(MemoryRegion region) {
        return region.getSlot()
                + ": 0x"
                + Long.toHexString(region.getGpa())
                + "+"
                + Sizes.show(region.getSizeBytes()).replace(" ", "");
    }
}
