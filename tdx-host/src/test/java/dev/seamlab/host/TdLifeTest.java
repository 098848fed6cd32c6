// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.kernel.KernelLog;
import dev.seamlab.host.tdh.Tdh;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Machine;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.abi.StatusCode;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The TDR and TDCS pages of TDs, from the first get to the last put, by the host's wrappers. */
class TdLifeTest {
    private TdxHost host;
    private Tdh tdh;

    @ParameterizedTest
    @EnumSource(Preset.class)
    void hundredTds_createdAndDestroyed_leaveTheMemoryOfTheStart(Preset preset) throws Exception {
        Machine machine = new Machine(Hosts.twoPackages());
        ScriptedSeam.loadInto(machine);
        host = TdxHost.bringUp(machine, preset.policy(), KernelLog.SILENT);
        tdh = host.tdh();
        HostMemoryReport start = host.memoryReport();
        for (int i = 0; i < 100; i++) {
            liveAndDie(i == 0);
        }
        assertThat(host.memoryReport()).isEqualTo(start);
        assertThat(HostAuditor.audit(host)).isEmpty();
    }

    private void liveAndDie(boolean audit) {
        int hkid = host.keyIds().allocate();
        List<Long> tdcs = new ArrayList<>();
        HostCpu cpu = host.cpus().claim(0);
        long tdr = Addresses.hpa(host.controlPages().allocate(cpu));
        ok(tdh.mng().create(cpu, tdr, hkid));
        host.cpus().release(cpu);
        onEachPackage(other -> ok(tdh.mng().keyConfig(other, tdr)));
        cpu = host.cpus().claim(0);
        for (int i = 0; i < host.info().tdcsPages(); i++) {
            long page = Addresses.hpa(host.controlPages().allocate(cpu));
            ok(tdh.mng().addcx(cpu, tdr, page));
            tdcs.add(page);
        }
        host.cpus().release(cpu);
        if (audit) {
            assertThat(HostAuditor.audit(host)).isEmpty();
            assertThat(host.memoryReport().keyIdsUsed()).isEqualTo(1);
            assertThat(host.memoryReport().pamtDynamicBytes())
                    .isEqualTo(host.isDynamicPamt() ? 8192 : 0);
        }
        destroy(tdr, tdcs, hkid);
    }

    private void destroy(long tdr, List<Long> tdcs, int hkid) {
        HostCpu first = host.cpus().claim(0);
        ok(tdh.mng().vpflushdone(first, tdr));
        host.cpus().release(first);
        onEachPackage(cpu -> ok(tdh.phymem().cacheWb(cpu, false)));
        HostCpu cpu = host.cpus().claim(0);
        ok(tdh.mng().keyFreeid(cpu, tdr));
        host.keyIds().free(hkid);
        for (long page : tdcs) {
            ok(tdh.phymem().pageReclaim(cpu, page));
            assertThat(PageType.of((int) cpu.regs().rcx())).isEqualTo(PageType.TDCX);
            host.pageReset().reset(Addresses.pfn(page));
            host.controlPages().free(cpu, Addresses.pfn(page));
        }
        ok(tdh.phymem().pageReclaim(cpu, tdr));
        ok(tdh.phymem().pageWbinvd(cpu, tdr, host.globalKeyId()));
        host.pageReset().reset(Addresses.pfn(tdr));
        host.controlPages().free(cpu, Addresses.pfn(tdr));
        host.cpus().release(cpu);
        assertThat(hkid).isNotEqualTo(Errno.ENOSPC);
    }

    private interface OnCpu {
        void run(HostCpu cpu);
    }

    private void onEachPackage(OnCpu step) {
        for (int p = 0; p < host.cpus().packages(); p++) {
            HostCpu cpu = host.cpus().claimOnPackage(p);
            step.run(cpu);
            host.cpus().release(cpu);
        }
    }

    private static void ok(long status) {
        assertThat(StatusCode.of(status)).isEqualTo(StatusCode.SUCCESS);
    }
}
