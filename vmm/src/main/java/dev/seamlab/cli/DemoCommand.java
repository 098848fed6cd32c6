// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.protobuf.ByteString;
import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.QuarkusApplication;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import org.eclipse.microprofile.config.ConfigProvider;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code seamlab demo}. */
@Command(
        name = "demo",
        description = "Shows three trust domains from birth to death, and what their memory costs.",
        footer = {
            "",
            "Starts a server of its own on a free port and is its client over gRPC. Exit code 6 where",
            "destroying the trust domains does not give everything back.",
            "",
            "Examples:",
            "  seamlab demo",
            "  seamlab demo --preset static",
            "  seamlab demo --firmware /usr/share/ovmf/OVMF.fd"
        })
final class DemoCommand implements Callable<Integer> {
    @Spec private CommandSpec spec;
    @Mixin private HostOptions host;

    @Option(
            names = "--firmware",
            paramLabel = "FILE",
            description = "TDVF image, for example OVMF.fd (default: the embedded one).")
    private @Nullable Path firmware;

    @Option(
            names = "--keep-going",
            description = "Leave the server running afterwards, until Ctrl-C.")
    private boolean keepGoing;

    @Override
    public Integer call() {
        ByteString image =
                firmware == null ? ByteString.EMPTY : InputFiles.read("--firmware", firmware);
        host.bringUp();
        System.setProperty(Server.GRPC_PORT, "0");
        System.setProperty("quarkus.http.host-enabled", "false");
        System.setProperty("quarkus.log.level", "WARN");
        Showing.plan = new Plan(image, keepGoing, spec.commandLine().getOut());
        return Server.run(Showing.class);
    }

    /** What the command line said. */
    private record Plan(ByteString firmware, boolean keepGoing, PrintWriter out) {}

    /** What runs once the server is up: a client of it. */
    static final class Showing implements QuarkusApplication {
        /** Set before Quarkus makes the application, which it does by itself. */
        private static volatile @Nullable Plan plan;

        @Override
        public int run(String... args) {
            Plan todo = plan;
            if (todo == null) {
                throw new IllegalStateException("only the demo command starts this");
            }
            String target =
                    "127.0.0.1:"
                            + ConfigProvider.getConfig().getValue(Server.GRPC_PORT, Integer.class);
            int exitCode;
            try (Client client = Client.plain(target, Duration.ofSeconds(60))) {
                exitCode = new Demo(client, target, todo.firmware(), todo.out()).run();
            } catch (RuntimeException e) {
                CommandFailure failure = Failures.of(e);
                System.err.println("seamlab: " + failure.getMessage());
                exitCode = failure.exitCode();
            }
            if (todo.keepGoing()) {
                todo.out().println();
                todo.out().println("The server goes on at " + target + "; Ctrl-C ends it.");
                todo.out().flush();
                Quarkus.waitForExit();
            }
            return exitCode;
        }
    }
}
