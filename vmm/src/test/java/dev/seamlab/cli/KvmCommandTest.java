// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.quarkus.test.junit.QuarkusTest;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

@QuarkusTest
class KvmCommandTest {
    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int run(String... args) {
        out.getBuffer().setLength(0);
        err.getBuffer().setLength(0);
        List<String> all = new ArrayList<>(List.of("kvm"));
        all.addAll(List.of(args));
        all.addAll(List.of("--server", "127.0.0.1:" + port));
        return Seamlab.commandLine()
                .setOut(new PrintWriter(out, true))
                .setErr(new PrintWriter(err, true))
                .execute(all.toArray(String[]::new));
    }

    private void ok(String... args) {
        assertThat(run(args)).as(err.toString()).isZero();
    }

    @AfterEach
    void nothingStays() {
        ok("list", "-o", "json");
        assertThat(out.toString().strip()).isEqualTo("{\n}");
    }

    @Test
    void steps_oneByOne_buildATrustDomainThatRuns() {
        ok("create-vm", "by-hand");
        assertThat(out.toString().strip()).isEqualTo("vms/by-hand");
        ok("capabilities", "by-hand");
        assertThat(out.toString()).contains("XFAM", "SUBLEAF");
        ok("set-memory", "by-hand", "0x0", "4M");
        ok("init-vm", "vms/by-hand", "--max-vcpus", "2");
        assertThat(out.toString()).contains("KEYID", "INITIALIZED");
        ok("create-vcpu", "by-hand");
        ok("init-vcpu", "by-hand", "--rcx", "0x1000");
        assertThat(out.toString()).contains("INITIALIZED");
        ok("cpuid", "by-hand");
        assertThat(out.toString()).contains("0x80000008");
        ok("set-attributes", "by-hand", "0", "4M", "private");
        ok("init-mem-region", "by-hand", "0x1000", "--pages", "3", "--measure");
        assertThat(out.toString()).contains("3 pages added", "0x0000000000004000");
        ok("finalize", "by-hand");
        assertThat(out.toString()).contains("RUNNABLE");
        ok("pre-fault", "by-hand", "0x100000", "16K");
        assertThat(out.toString()).contains("16 KiB mapped, 0 B left");
        ok("run", "by-hand", "accept 0x100000..0x104000 4k");
        assertThat(out.toString()).contains("HALTED");
        ok("describe", "by-hand", "-o", "wide");
        assertThat(out.toString()).contains("0: 0x0+4MiB");
        ok("terminate", "by-hand", "-o", "yaml");
        assertThat(out.toString()).contains("state: TERMINATED");
        assertThat(run("finalize", "by-hand")).isEqualTo(ExitCodes.REFUSED);
        assertThat(err.toString()).startsWith("seamlab: EIO: KVM_TDX_FINALIZE_VM");
        ok("destroy", "by-hand");
    }

    @Test
    void ordinaryMachine_touchesMemory_andGoesOnWhereItFaulted() {
        ok("create-vm", "plain", "--type", "ordinary");
        ok("set-memory", "plain", "0", "64K");
        ok("create-vcpu", "plain");
        ok("run", "plain", "touch 0x0..0x20000");
        assertThat(out.toString()).startsWith("MEMORY_FAULT").contains("0001_0000");
        ok("set-memory", "plain", "0x10000", "64K", "--slot", "1");
        ok("run", "plain");
        assertThat(out.toString()).startsWith("HALTED");
        assertThat(run("init-vm", "plain")).isEqualTo(ExitCodes.REFUSED);
        assertThat(err.toString()).contains("ENOTTY");
        ok("destroy", "plain");
    }

    @Test
    void ioctlsThatFail_exitByTheirErrno() {
        assertThat(run("describe", "nobody")).isEqualTo(ExitCodes.REFUSED);
        ok("create-vm", "strict");
        assertThat(run("create-vm", "strict")).isEqualTo(ExitCodes.REFUSED);
        assertThat(run("create-vm", "Not-An-Id")).isEqualTo(ExitCodes.BAD_INPUT);
        assertThat(err.toString()).contains("vm_id");
        assertThat(run("finalize", "strict")).isEqualTo(ExitCodes.BAD_INPUT);
        assertThat(err.toString()).contains("EINVAL");
        assertThat(run("capabilities", "strict", "--entries", "0")).isEqualTo(ExitCodes.BAD_INPUT);
        assertThat(err.toString()).contains("E2BIG");
        assertThat(run("init-vm", "strict", "--gpa-width", "40")).isEqualTo(ExitCodes.BAD_INPUT);
        assertThat(run("init-vm", "strict", "--cpuid", "7=1")).isEqualTo(ExitCodes.BAD_INPUT);
        assertThat(err.toString()).contains("7=1", "write it like");
        assertThat(run("create-vcpu", "strict")).isEqualTo(ExitCodes.REFUSED);
        ok("destroy", "strict");
    }

    @Test
    void contentsLargerThanOneCall_areAddedInPieces(@TempDir Path folder) throws IOException {
        Path payload = Files.write(folder.resolve("payload"), new byte[(1 << 20) + 5000]);
        ok("create-vm", "large");
        ok("set-memory", "large", "0", "4M");
        ok("init-vm", "large");
        ok("create-vcpu", "large");
        ok("init-vcpu", "large");
        ok("set-attributes", "large", "0", "4M", "private");
        ok("init-mem-region", "large", "0x1000", "--source", payload.toString());
        assertThat(out.toString()).contains("258 pages added");
        ok("describe", "large", "-o", "json");
        assertThat(out.toString()).contains("\"private_pages\": \"258\"");
        ok("destroy", "large");
    }

    @Test
    void completion_knowsTheSteps() {
        StringWriter script = new StringWriter();
        assertThat(
                        Seamlab.commandLine()
                                .setOut(new PrintWriter(script, true))
                                .execute("completion"))
                .isZero();
        assertThat(script.toString()).contains("init-mem-region", "set-attributes");
    }
}
