// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.quarkus.test.junit.QuarkusTest;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.Test;

@QuarkusTest
class DemoTest {
    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    @Test
    void demo_againstAServer_tellsTheStoryAndGivesEverythingBack() {
        StringWriter out = new StringWriter();
        try (Client client = Client.plain("127.0.0.1:" + port, Duration.ofSeconds(30))) {
            int exitCode = new Demo(client, "here", ByteString.EMPTY, new PrintWriter(out)).run();
            assertThat(exitCode).as(out.toString()).isEqualTo(ExitCodes.OK);
        }
        assertThat(out.toString())
                .contains("dynamic PAMT: 0 bytes", "audit: 0 findings")
                .doesNotContain("WRONG")
                .doesNotContain("\u001b");
    }

    @Test
    void clientCommands_againstAServer_walkThroughALife() {
        assertThat(run("td", "create", "--id", "cli", "-m", "16M", "--guest", "idle")).isZero();
        assertThat(run("td", "describe", "cli")).isZero();
        assertThat(run("td", "list", "-o", "json")).isZero();
        assertThat(run("td", "start", "cli")).isZero();
        assertThat(run("td", "start", "cli")).isEqualTo(ExitCodes.REFUSED);
        assertThat(run("host", "--boot-log")).isZero();
        assertThat(run("td", "delete", "cli", "--stop")).isZero();
        assertThat(run("td", "describe", "cli")).isEqualTo(ExitCodes.REFUSED);
        assertThat(run("audit")).isZero();
    }

    private int run(String... args) {
        String[] all = java.util.Arrays.copyOf(args, args.length + 2);
        all[args.length] = "--server";
        all[args.length + 1] = "127.0.0.1:" + port;
        return Seamlab.commandLine().execute(all);
    }
}
