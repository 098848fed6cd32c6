// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.grpc.Status;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import picocli.CommandLine;
import picocli.CommandLine.TypeConversionException;

class CliTest {
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    private int run(String... args) {
        return Seamlab.commandLine()
                .setOut(new PrintWriter(out, true))
                .setErr(new PrintWriter(err, true))
                .execute(args);
    }

    static Stream<List<String>> commands() {
        List<List<String>> all = new ArrayList<>();
        collect(Seamlab.commandLine(), List.of(), all);
        return all.stream();
    }

    private static void collect(CommandLine command, List<String> path, List<List<String>> all) {
        all.add(path);
        command.getSubcommands()
                .forEach((name, sub) -> {
                    List<String> longer = new ArrayList<>(path);
                    longer.add(name);
                    collect(sub, longer, all);
                });
    }

    @ParameterizedTest
    @MethodSource("commands")
    void everyCommand_askedForHelp_explainsItself(List<String> path) {
        List<String> args = new ArrayList<>(path);
        args.add("--help");
        assertThat(run(args.toArray(String[]::new))).isZero();
        assertThat(out.toString()).contains("Usage: seamlab").doesNotContain("${");
        assertThat(out.toString().lines()).allSatisfy(l -> assertThat(l.length()).isLessThan(101));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "serve --bogus                 | --bogus",
                "serve --profile no-such       | no-such",
                "serve --profile no/such.yaml  | no/such.yaml",
                "serve --preset no-such        | no-such",
                "serve --grpc-port 70000       | --grpc-port",
                "demo --firmware no-such       | no-such",
                "td create --memory 3x         | 3x",
                "td create --guest-file nope   | nope",
                "td describe                   | NAME",
                "td wait web --for UNRECOGNIZED | READY",
                "nonsense                      | nonsense",
            })
    void badInput_ofEachKind_endsWith2AndOneLineThatNamesIt(String args, String expected) {
        assertThat(run(args.split(" +"))).isEqualTo(ExitCodes.BAD_INPUT);
        assertThat(err.toString()).startsWith("seamlab: ").contains(expected);
        assertThat(err.toString().lines().count()).isLessThanOrEqualTo(2);
    }

    @Test
    void noServer_saysHowToGetOne() {
        assertThat(run("td", "list", "--server", "127.0.0.1:1")).isEqualTo(ExitCodes.UNREACHABLE);
        assertThat(err.toString()).contains("seamlab serve");
    }

    @ParameterizedTest
    @EnumSource
    void exitCode_ofEveryGrpcCode_isZeroForOkOnly(Status.Code code) {
        assertThat(ExitCodes.of(code) == 0).isEqualTo(code == Status.Code.OK);
    }

    @ParameterizedTest
    @CsvSource({
        "4096, 4096",
        "64M, 67108864",
        "64MiB, 67108864",
        "1.5g, 1610612736",
        "2 KiB, 2048",
        "1T, 1099511627776",
        "0, 0"
    })
    void size_asPeopleWriteIt_isBytes(String text, long bytes) {
        assertThat(Sizes.parse(text)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @CsvSource({"x", "-1", "64Q", "0.3", "99999999T"})
    void size_thatIsNone_isRefused(String text) {
        assertThatThrownBy(() -> Sizes.parse(text)).isInstanceOf(TypeConversionException.class);
    }

    @ParameterizedTest
    @CsvSource({
        "0, 0 B",
        "1023, 1023 B",
        "1024, 1 KiB",
        "1536, 1.50 KiB",
        "8192, 8 KiB",
        "67108864, 64 MiB",
        "-8192, -8 KiB",
        "1099511627776, 1 TiB"
    })
    void size_forPeople_hasThreeDigitsThatMatter(long bytes, String text) {
        assertThat(Sizes.show(bytes)).isEqualTo(text);
    }

    @Test
    void table_alignsWordsLeftAndNumbersRight() {
        new Table(Table.Align.LEFT, Table.Align.RIGHT)
                .row("name", "n")
                .row("x", "1000")
                .print(new PrintWriter(out), "> ");
        assertThat(out.toString().lines()).containsExactly("> name     n", "> x     1000");
    }
}
