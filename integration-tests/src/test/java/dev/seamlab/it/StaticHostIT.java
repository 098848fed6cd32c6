// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.v1.GetHostRequest;
import dev.seamlab.v1.HostInfo;
import dev.seamlab.v1.TrustDomain;
import org.junit.jupiter.api.Test;

class StaticHostIT {
    @Test
    void serve_withThePresetStatic_installsNoPairs() {
        try (Server server = Server.start("--preset=static")) {
            HostInfo host = server.host().getHost(GetHostRequest.getDefaultInstance());
            assertThat(host.getDynamicPamt()).isFalse();
            assertThat(host.getPamt().getLevel4KBytes())
                    .isGreaterThan(host.getMemoryBytes() / 4096 * 16 - 1);

            TrustDomain created = server.create("plain", Server.smallTdRunning("boot-lazy"));
            assertThat(created.getMemory().getDynamicPamtBytes()).isZero();
            server.delete(created.getName());
            assertThat(server.memoryReport().getPamt().getDynamicBytes()).isZero();
        }
    }
}
