// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.v1.MemoryReport;
import dev.seamlab.v1.RunAuditRequest;
import io.grpc.ManagedChannel;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A TDX host for a test class: starts the packaged application as a process before the first test
 * and ends it after the last. Each test has to leave the host as it found it: the same memory, the
 * same KeyIDs, no findings.
 */
final class SeamlabHost
        implements BeforeAllCallback, BeforeEachCallback, AfterEachCallback, AfterAllCallback {
    private final List<String> arguments;
    private Server server;
    private MemoryReport before;

    private SeamlabHost(List<String> arguments) {
        this.arguments = arguments;
    }

    /**
     * @param arguments of {@code seamlab serve}, for example {@code --profile=laptop-16g}
     */
    static SeamlabHost with(String... arguments) {
        return new SeamlabHost(List.of(arguments));
    }

    /** A connection to the host. */
    ManagedChannel channel() {
        return server().channel();
    }

    /** The host and its stubs. */
    Server server() {
        return Objects.requireNonNull(server, "the host runs only while tests of its class do");
    }

    @Override
    public void beforeAll(ExtensionContext context) {
        server = Server.start(arguments.toArray(String[]::new));
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        before = server().memoryReport();
    }

    @Override
    public void afterEach(ExtensionContext context) {
        assertThat(server().memoryReport()).isEqualTo(before);
        assertThat(
                        server().audit()
                                .runAudit(RunAuditRequest.getDefaultInstance())
                                .getFindingsList())
                .isEmpty();
    }

    @Override
    public void afterAll(ExtensionContext context) {
        server().close();
    }
}
