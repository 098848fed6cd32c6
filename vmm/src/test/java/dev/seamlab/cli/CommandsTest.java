// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.quarkus.test.junit.QuarkusTest;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The command's client side against a live server, as somebody types it. */
@QuarkusTest
class CommandsTest {
    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    private record Result(int exitCode, String out, String err) {}

    private Result run(String... words) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> args = new ArrayList<>(List.of(words));
        args.add("--server=127.0.0.1:" + port);
        int exit =
                Seamlab.commandLine()
                        .setOut(new PrintWriter(out, true))
                        .setErr(new PrintWriter(err, true))
                        .execute(args.toArray(String[]::new));
        return new Result(exit, out.toString(), err.toString());
    }

    private String ok(String... words) {
        Result result = run(words);
        assertThat(result.exitCode()).as(String.join(" ", words) + "\n" + result.err()).isZero();
        return result.out();
    }

    private Result refused(int exitCode, String... words) {
        Result result = run(words);
        assertThat(result.exitCode())
                .as(String.join(" ", words) + "\n" + result.out() + result.err())
                .isEqualTo(exitCode);
        return result;
    }

    @AfterEach
    void theHostIsClean() {
        List<String> left =
                ok("td", "list").lines().skip(1).map(line -> line.split(" ", 2)[0]).toList();
        left.forEach(td -> ok("td", "delete", td, "--stop"));
        assertThat(left).isEmpty();
        assertThat(ok("audit")).contains("0 findings");
    }

    @Test
    void trustDomain_throughItsLife_obeysEachCommand() {
        String forEver = "loop 1000000000000 { spin 1 }";
        assertThat(ok("td", "create", "--id=web", "--memory=16M", "--guest=" + forEver, "--wait"))
                .contains("web")
                .contains("READY");
        assertThat(ok("td", "wait", "web", "--for", "READY,FAILED")).contains("READY");
        assertThat(ok("td", "start", "web")).contains("RUNNING");
        assertThat(ok("td", "pause", "web")).contains("PAUSED");
        assertThat(ok("td", "resume", "web")).contains("RUNNING");
        assertThat(refused(ExitCodes.REFUSED, "td", "delete", "web").err()).contains("RUNNING");
        assertThat(refused(ExitCodes.UNREACHABLE, "td", "wait", "web", "--timeout=1").err())
                .contains("--timeout");
        assertThat(ok("td", "kill", "web")).contains("web");
        assertThat(ok("td", "delete", "web", "--stop")).contains("web is gone");
        assertThat(refused(ExitCodes.REFUSED, "td", "describe", "web").err()).contains("web");
    }

    @Test
    void td_withLabels_isFoundByThem_andByItsSize() {
        ok(
                "td",
                "create",
                "--id=a",
                "--memory=16M",
                "--label=team=kvm",
                "--display-name=the first");
        ok("td", "create", "--id=b", "--memory=32M", "--vcpus=2", "--label=team=x86");
        assertThat(ok("td", "list", "--filter", "labels.team=kvm", "-o", "wide"))
                .contains("team=kvm")
                .doesNotContain("team=x86");
        assertThat(ok("td", "list", "--filter=vcpu_count>=2 AND memory_bytes<40000000").lines())
                .hasSize(2)
                .anyMatch(line -> line.startsWith("b "));
        assertThat(ok("td", "update", "a", "--label=tier=front", "--remove-label=team"))
                .contains("a ");
        assertThat(ok("td", "describe", "a"))
                .contains("the first")
                .contains("tier=front")
                .doesNotContain("team");
        assertThat(refused(ExitCodes.BAD_INPUT, "td", "update", "a").err()).contains("--label");
        assertThat(refused(ExitCodes.BAD_INPUT, "td", "list", "--filter=colour=red").err())
                .contains("colour")
                .contains("labels.KEY");
        ok("td", "delete", "a");
        ok("td", "delete", "b");
    }

    @Test
    void create_withoutWaiting_namesTheOperation_thatCanBeWaitedFor() {
        String operation = ok("td", "create", "--id=later", "--memory=16M", "--no-wait").strip();
        assertThat(operation).startsWith("operations/");
        ok("operation", "wait", operation);
        assertThat(ok("operation", "describe", operation)).contains("done");
        String deletion = ok("td", "delete", "later", "--no-wait").strip();
        ok("operation", "wait", deletion);
        assertThat(ok("td", "delete", "later", "--allow-missing")).contains("gone");
    }

    @Test
    void wait_untilTheGuestIsThrough_showsWhatItDid() {
        ok("td", "create", "--id=busy", "--memory=16M", "--guest=touch-all", "--start");
        assertThat(ok("td", "wait", "busy", "--finished", "-o", "json"))
                .contains("\"finished_vcpus\": 1");
        ok("td", "delete", "busy", "--stop");
    }

    @Test
    void looks_atTheHost_haveAnAnswerInEachForm() {
        for (String[] look :
                new String[][] {
                    {"host"},
                    {"host", "module"},
                    {"host", "cmrs"},
                    {"host", "tdmrs"},
                    {"host", "keyids"},
                    {"host", "cpus"},
                    {"pamt", "stats"},
                    {"pamt", "compare"},
                    {"fault", "list"},
                    {"operation", "list"},
                    {"td", "list"},
                    {"seamcall", "list"},
                    {"audit"}
                }) {
            for (String format : new String[] {"table", "wide", "json", "yaml"}) {
                List<String> words = new ArrayList<>(List.of(look));
                words.addAll(List.of("-o", format));
                assertThat(ok(words.toArray(String[]::new)))
                        .as(String.join(" ", words))
                        .isNotBlank();
            }
        }
    }
}
