// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.profile;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.seamlab.machine.profile.InvalidProfileException.Violation;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ProfileReaderTest {
    private static final String GOOD =
            """
            name: mine
            packages: 1
            cpusPerPackage: 4
            physicalBits: 46
            keyIds: {bits: 6, mktme: 31, tdx: 32}
            nodes:
              - memory: [4GiB-8GiB, 0x100000-0x6f80_0000]
            """;

    private static List<Violation> violations(String yaml) {
        try {
            ProfileReader.parse(yaml);
        } catch (InvalidProfileException e) {
            return e.violations();
        }
        throw new AssertionError("the profile was accepted");
    }

    private static void assertBad(String yaml, String field, String description) {
        assertThat(violations(yaml)).containsExactly(new Violation(field, description));
    }

    @Test
    void parse_leastOfFields_takesTheDefaults() {
        MachineProfile profile = ProfileReader.parse(GOOD);
        assertThat(profile.name()).isEqualTo("mine");
        assertThat(profile.description()).isEmpty();
        assertThat(profile.module()).isSameAs(ModuleProfile.V1_5_25);
        assertThat(profile.partialWriteErratum()).isFalse();
        assertThat(profile.nodes().getFirst().memory())
                .containsExactly(
                        new AddressRange(0x100000, 0x6f800000),
                        new AddressRange(4L << 30, 8L << 30));
        assertThat(profile.cmrs()).isEqualTo(profile.nodes().getFirst().memory());
    }

    @Test
    void parse_allFields_takesThem() {
        MachineProfile profile =
                ProfileReader.parse(
                        GOOD
                                + """
                                description: words
                                cmrs: [0x100000-0x6f800000]
                                module: 1.5.16
                                partialWriteErratum: true
                                """);
        assertThat(profile.description()).isEqualTo("words");
        assertThat(profile.cmrs()).containsExactly(new AddressRange(0x100000, 0x6f800000));
        assertThat(profile.module()).isSameAs(ModuleProfile.V1_5_16);
        assertThat(profile.partialWriteErratum()).isTrue();
    }

    @Test
    void parse_unknownField_namesItAndThePossibleOnes() {
        assertBad(
                GOOD + "sockets: 2\n",
                "sockets",
                "is no field of a profile; here may stand cmrs, cpusPerPackage, description,"
                        + " fragmentation, keyIds, module, name, nodes, packages, partialWriteErratum, physicalBits");
        assertBad(
                GOOD.replace("tdx: 32", "tdx: 32, sgx: 1"),
                "keyIds.sgx",
                "is no field of a profile; here may stand bits, mktme, tdx");
    }

    @Test
    void parse_wrongType_saysWhatIsThere() {
        assertBad(
                GOOD.replace("packages: 1\n", "packages: two\n"),
                "packages",
                "must be a whole number, is the text \"two\"");
        assertBad(
                GOOD.replace("[4GiB-8GiB, 0x100000-0x6f80_0000]", "4GiB-8GiB"),
                "nodes[0].memory",
                "must be a list, is the text \"4GiB-8GiB\"");
        assertBad(
                GOOD + "partialWriteErratum: maybe\n",
                "partialWriteErratum",
                "must be true or false, is the text \"maybe\"");
        assertBad(
                GOOD.replace("{bits: 6, mktme: 31, tdx: 32}", "63"),
                "keyIds",
                "must be a mapping of fields, is 63");
    }

    @Test
    void parse_missingFields_namesAllAtOnce() {
        assertThat(violations("name: x\n"))
                .extracting(Violation::field)
                .contains("packages", "cpusPerPackage", "physicalBits", "keyIds", "nodes");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "4GiB                | \"4GiB\" is no address range; it must look like 0x100000-0x6f800000 or 4GiB-66GiB",
                "4GiB-eight          | \"eight\" in \"4GiB-eight\" is no address; the range must look like 0x100000-0x6f800000 or 4GiB-66GiB",
                "8GiB-4GiB           | empty or reversed range 0x0000_0002_0000_0000 - 0x0000_0001_0000_0000",
                "0x0-0xfffffffffffffffff | \"0xfffffffffffffffff\" in \"0x0-0xfffffffffffffffff\" is too large for an address",
                "0-99999999999TiB    | \"99999999999TiB\" in \"0-99999999999TiB\" is too large for an address"
            })
    void parse_badRange_saysWhatIsWrong(String text, String description) {
        assertBad(GOOD.replace("4GiB-8GiB", "\"" + text + "\""), "nodes[0].memory[0]", description);
    }

    @Test
    void parse_rangeThatIsANumber_isNamed() {
        assertBad(
                GOOD.replace("4GiB-8GiB", "4096"),
                "nodes[0].memory[0]",
                "must look like 0x100000-0x6f800000 or 4GiB-66GiB, is 4096");
    }

    @Test
    void parse_unknownModule_namesThoseThereAre() {
        assertBad(
                GOOD + "module: 1.5.99\n",
                "module",
                "\"1.5.99\" is no known module; there are 1.5.25, 1.5.16, 1.5.25-advertises-only");
    }

    @Test
    void parse_impossibleMachine_namesTheField() {
        assertThat(violations(GOOD.replace("4GiB-8GiB", "1GiB-8GiB")))
                .extracting(Violation::field)
                .contains("nodes");
        assertThat(violations(GOOD.replace("physicalBits: 46", "physicalBits: 60")))
                .extracting(Violation::field)
                .contains("physicalBits");
    }

    @Test
    void parse_fragmentationAndDistances_areRead() {
        MachineProfile profile =
                ProfileReader.parse(
                        GOOD
                                + "    distances: [10]\n"
                                + "fragmentation: {seed: 7, extent: 50, used: 30, orders: [6, 3]}\n");
        assertThat(profile.fragmentation()).isEqualTo(new Fragmentation(7, 50, 30, List.of(6, 3)));
        assertThat(ProfileReader.parse(GOOD).fragmentation()).isEqualTo(Fragmentation.NONE);
        assertThat(profile.nodes().get(0).distances()).containsExactly(10);
        assertThat(violations(GOOD + "    distances: [10, 20]\n"))
                .extracting(Violation::field)
                .containsExactly("nodes[0].distances");
    }

    @Test
    void parse_badFragmentation_namesTheFields() {
        assertThat(violations(GOOD + "fragmentation: {used: 96, extent: 101, orders: [0]}\n"))
                .extracting(Violation::field)
                .containsExactly(
                        "fragmentation.extent", "fragmentation.used", "fragmentation.orders");
        assertThat(violations(GOOD + "fragmentation: {used: 5, orders: [x]}\n"))
                .extracting(Violation::field)
                .contains("fragmentation.orders");
    }

    @Test
    void parse_noYaml_saysWhere() {
        assertThat(violations("name: [unclosed\n").getFirst())
                .satisfies(v -> assertThat(v.field()).isEqualTo("profile"))
                .satisfies(v -> assertThat(v.description()).contains("is no YAML", "line"));
        assertThat(violations("").getFirst().description())
                .isEqualTo("must be a mapping of fields, is empty");
    }

    @Test
    void parse_yamlTag_makesNoObject() {
        assertThatThrownBy(() -> ProfileReader.parse("!!java.io.File [x]\n"))
                .isInstanceOf(InvalidProfileException.class);
    }

    @Test
    void parse_manyAliases_isRefusedNotExpanded() {
        StringBuilder bomb = new StringBuilder("a0: &a0 [x, x]\n");
        for (int i = 1; i < 60; i++) {
            String one = "*a" + (i - 1);
            bomb.append("a%d: &a%d [%s, %s, %s]\n".formatted(i, i, one, one, one));
        }
        assertThatThrownBy(() -> ProfileReader.parse(bomb.toString()))
                .isInstanceOf(InvalidProfileException.class);
    }

    @Test
    void read_file_isParsed(@TempDir Path directory) throws IOException {
        Path file = Files.writeString(directory.resolve("mine.yaml"), GOOD);
        assertThat(ProfileReader.read(file)).isEqualTo(ProfileReader.parse(GOOD));
    }
}
