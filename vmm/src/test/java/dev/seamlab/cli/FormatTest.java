// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.util.JsonFormat;
import dev.seamlab.v1.Registers;
import dev.seamlab.v1.TrustDomain;
import org.junit.jupiter.api.Test;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;

class FormatTest {
    private static final JsonFormat.Printer PRINTER =
            JsonFormat.printer().preservingProtoFieldNames();

    @Test
    void yaml_nestedMessage_isABlockDocumentWithTheFieldNamesOfTheApi() throws Exception {
        TrustDomain td =
                TrustDomain.newBuilder()
                        .setName("trustDomains/web")
                        .setVcpuCount(2)
                        .putLabels("tier", "front: end")
                        .build();

        assertThat(Format.YAML.write(PRINTER, td))
                .isEqualTo(
                        """
                        ---
                        name: trustDomains/web
                        vcpu_count: 2
                        labels:
                          tier: 'front: end'
                        """);
    }

    @Test
    void yaml_numbersThatJsonWritesAsText_stayText() throws Exception {
        Registers registers = Registers.newBuilder().setRax(0x8000020000000092L).build();

        Object read =
                new Load(LoadSettings.builder().build())
                        .loadFromString(Format.YAML.write(PRINTER, registers));

        assertThat(read).isEqualTo(java.util.Map.of("rax", "9223374235878031506"));
    }

    @Test
    void table_ofAWholeMessage_isADefect() {
        assertThatThrownBy(() -> Format.WIDE.write(PRINTER, TrustDomain.getDefaultInstance()))
                .isInstanceOf(IllegalStateException.class);
    }
}
