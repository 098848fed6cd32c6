// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.seamlab.guest.GuestMemory.Range;
import dev.seamlab.machine.GuestMode.Access;
import java.util.List;
import java.util.Map;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class ProgramParserTest {
    @Test
    void parse_everyOperation_readsWhatIsWritten() {
        GuestProgram program =
                (GuestProgram)
                        Workload.parse(
                                """
                                accept 0x1000000..0x2000000   # all of it
                                accept 16m+8k 4k; touch 0x1000000+4k; read 0x1000000+4k shared
                                use 32m+2m; share 16m+4k; private 16m+4k
                                rtmr 1 "kernel; initrd"; report 0x1_000_000
                                loop 3 { spin 5; loop 2 { write 16m+4k } }
                                @1 { halt }
                                fatal 0x20 "gone"; shutdown; halt
                                """);
        Range page = new Range(0x100_0000, 0x100_1000);
        Op write = new Op.Touch(page, Access.WRITE, false);
        assertThat(program.ops())
                .containsExactly(
                        new Op.Accept(new Range(0x100_0000, 0x200_0000), true),
                        new Op.Accept(new Range(0x100_0000, 0x100_2000), false),
                        write,
                        new Op.Touch(page, Access.READ, true),
                        new Op.Use(new Range(0x200_0000, 0x220_0000)),
                        new Op.MapGpa(page, true),
                        new Op.MapGpa(page, false),
                        new Op.RtmrExtend(1, "kernel; initrd"),
                        new Op.Report(0x100_0000),
                        new Op.Loop(3, List.of(new Op.Spin(5), new Op.Loop(2, List.of(write)))),
                        new Op.OnVcpu(1, List.of(new Op.Halt())),
                        new Op.FatalError(0x20, "gone"),
                        new Op.Shutdown(),
                        new Op.Halt());
    }

    static List<String> builtins() {
        return Builtin.NAMES;
    }

    @ParameterizedTest
    @MethodSource("builtins")
    void parse_nameOfBuiltin_roundTrips(String name) {
        Workload workload = Workload.parse(name);
        assertThat(workload).isInstanceOf(Builtin.class);
        assertThat(Workload.parse(workload.text())).isEqualTo(workload);
    }

    @Test
    void parse_builtinWithParameters_keepsThem() {
        assertThat(Workload.parse("convert-storm rounds=10 pages=2"))
                .isEqualTo(new Builtin("convert-storm", Map.of("rounds", 10L, "pages", 2L)));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\'',
            textBlock =
                    """
                    ''                              | 1  | empty
                    frobnicate 1                    | 1  | unknown operation
                    halt; frobnicate                | 7  | unknown operation
                    touch                           | 6  | address
                    touch 0x1000                    | 13 | no end
                    touch 0x1001..0x2000            | 7  | aligned
                    touch 0x2000..0x1000            | 7  | whole pages
                    touch 0x2000+1k                 | 7  | whole pages
                    touch 0x8000000000000+4k        | 7  | out of bounds
                    touch 99999999999999999999+4k   | 7  | too large
                    accept 1m+4k 8k                 | 14 | separate operations
                    rtmr 4 "x"                      | 6  | out of bounds
                    rtmr 1 x                        | 8  | text
                    rtmr 1 "x                       | 8  | no end
                    loop 0 { halt }                 | 6  | out of bounds
                    loop 2 halt                     | 8  | "{"
                    loop 2 { }                      | 10 | empty
                    loop 2 { halt                   | 14 | "}"
                    halt }                          | 6  | "}"
                    convert-storm rounds=0          | 22 | out of bounds
                    convert-storm turns=1           | 15 | no parameter
                    idle 3                          | 6  | no parameter
                    """)
    void parse_mistake_saysWhereAndWhat(String text, int position, String what) {
        InvalidProgramException refused =
                catchThrowableOfType(InvalidProgramException.class, () -> Workload.parse(text));
        assertThat(refused).as("refusal of <%s>", text).isNotNull();
        assertThat(refused).hasMessageContaining(what);
        assertThat(refused.position() + 1).as(refused.getMessage()).isEqualTo(position);
    }

    @Provide
    Arbitrary<String> programs() {
        return Arbitraries.of(
                        "accept", "touch", "use", "loop", "halt", "rtmr", "@", "{", "}", ";", "..",
                        "+", "0x1000", "4k", "2m", "3", "\"", "shared", "\n", "#", "=", "idle", "ü")
                .list()
                .ofMaxSize(12)
                .map(words -> String.join(" ", words));
    }

    @Property(tries = 3000)
    void parse_anyWords_isReadOrRefusedAndNothingElse(@ForAll("programs") String text) {
        try {
            assertThat(Workload.parse(text).text()).isNotNull();
        } catch (InvalidProgramException refused) {
            assertThat(refused.position()).isBetween(0, text.length());
        }
    }
}
