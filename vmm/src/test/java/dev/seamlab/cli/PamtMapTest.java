// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.v1.PamtRegion;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class PamtMapTest {
    private static final long GIB = 1L << 30;
    private static final long RANGE = 2L << 20;

    private static PamtRegion region(long base, int refcount) {
        return PamtRegion.newBuilder()
                .setBaseHpa(base)
                .setBacked(true)
                .setRefcount(refcount)
                .build();
    }

    private static List<String> draw(List<PamtRegion> regions) {
        StringWriter out = new StringWriter();
        PamtMapCommand.draw(new PrintWriter(out), regions);
        return out.toString().lines().toList();
    }

    @Test
    void map_hasALineForEachGibThatHasPairs() {
        List<String> lines = draw(List.of(region(0, 1), region(3 * GIB + 8 * RANGE, 512)));
        assertThat(lines).hasSize(3);
        assertThat(lines.get(1).strip()).startsWith("0  1...").endsWith("1");
        assertThat(lines.get(2).strip()).startsWith("3  .2..").endsWith("1");
    }

    @Test
    void map_ofAGibThatIsFull_isFull() {
        List<PamtRegion> all = new ArrayList<>();
        for (int i = 0; i < 512; i++) {
            all.add(region(GIB + i * RANGE, 512));
        }
        assertThat(draw(all).get(1).strip()).isEqualTo("1  " + "#".repeat(64) + "     512");
    }
}
