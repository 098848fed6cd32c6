// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.HostCpu;
import dev.seamlab.v1.SetCpuOnlineRequest;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** {@code seamlab host cpu}. */
@Command(
        name = "cpu",
        description = "Takes a CPU of the host on- or offline, with the kernel's rules.",
        footer = {"", "Examples:", "  seamlab host cpu 3 offline", "  seamlab host cpu 3 online"})
final class HostCpuCommand implements Callable<Integer> {
    /** Where to. */
    enum State {
        ONLINE,
        OFFLINE
    }

    @Mixin private ClientOptions options;

    @Parameters(index = "0", paramLabel = "CPU", description = "Number of the CPU, from 0.")
    private int cpu;

    @Parameters(
            index = "1",
            paramLabel = "STATE",
            description = "online or offline.",
            completionCandidates = HostCpuCommand.States.class)
    private State state;

    @Override
    public Integer call() {
        try (Client client = options.connect()) {
            HostCpu answer =
                    client.host()
                            .setCpuOnline(
                                    SetCpuOnlineRequest.newBuilder()
                                            .setCpu(cpu)
                                            .setOnline(state == State.ONLINE)
                                            .build());
            if (options.forPrograms()) {
                options.print(answer);
            } else {
                options.out()
                        .println(
                                "cpu"
                                        + answer.getCpu()
                                        + " of package "
                                        + answer.getPackage()
                                        + " is "
                                        + (answer.getOnline() ? "online" : "offline"));
                options.out().flush();
            }
            return ExitCodes.OK;
        }
    }

    /** For help and completion. */
    static final class States implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            return List.of("online", "offline").iterator();
        }
    }
}
