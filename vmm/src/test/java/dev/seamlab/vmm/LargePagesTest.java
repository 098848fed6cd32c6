// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import static dev.seamlab.vmm.Lab.MEMORY;
import static dev.seamlab.vmm.Lab.awaitFinished;
import static dev.seamlab.vmm.Lab.boot;
import static dev.seamlab.vmm.Lab.spec;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.HostPolicy.Install;
import dev.seamlab.host.Preset;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.kvm.Prefaults;
import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.PageInfo;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** 2M leaves: mapped, split, merged, converted and torn down; every test ends with the audit. */
class LargePagesTest {
    private static final long AT = 16L << 20;

    @RegisterExtension final Lab lab = new Lab();

    @Test
    void off_byDefault_mapsEverythingAt4k() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = boot(vmm, spec("td", 1, "touch-all"));
        awaitFinished(td);
        assertThat(td.stats().get(Counter.LARGE_LEAVES)).isZero();
    }

    @ParameterizedTest
    @EnumSource(Preset.class)
    void accept_at2m_mapsOneLeafWithoutPair(Preset preset) {
        Vmm vmm = lab.host(preset);
        TrustDomain td = large(vmm, "accept 16m+8m; halt", 1);
        TdSnapshot end = awaitFinished(td);
        assertThat(td.stats().get(Counter.LARGE_LEAVES)).isEqualTo(4);
        assertThat(end.progress().privateFaults()).isEqualTo(4);
        assertThat(end.progress().pagesAccepted()).isEqualTo(4 * 512);
        assertThat(vmm.memory().pamt().guestBytes()).isZero();
    }

    @ParameterizedTest
    @EnumSource(Preset.class)
    void life_withLargePages_comesBackWhole(Preset preset) {
        Vmm vmm = lab.host(preset);
        List<TrustDomain> tds = new ArrayList<>();
        String[] programs = {"touch-all", "boot-eager", "convert-storm rounds=60 pages=700"};
        for (int i = 0; i < programs.length; i++) {
            tds.add(boot(vmm, spec("td" + i, 2, programs[i]).withLargePages()));
        }
        tds.forEach(Lab::awaitFinished);
        assertThat(vmm.audit()).isEmpty();
        assertThat(vmm.memory().pamt().totalBytes()).isEqualTo(8192 * vmm.memory().backedRanges());
    }

    @ParameterizedTest
    @EnumSource(Install.class)
    void life_withEachInstallTime_comesBackWhole(Install install) {
        Vmm vmm = lab.host(Lab.smallHost(), Preset.V4.policy().with(install));
        TrustDomain td = large(vmm, "accept 16m+8m; accept 24m+8m 4k; halt", 2);
        awaitFinished(td);
        assertThat(td.stats().get(Counter.LARGE_LEAVES)).isPositive();
    }

    @Test
    void accept_at4kFirst_staysAt4k() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = large(vmm, "accept 16m+2m 4k; halt", 1);
        TdSnapshot end = awaitFinished(td);
        assertThat(td.stats().get(Counter.LARGE_LEAVES)).isZero();
        assertThat(end.progress().privateFaults()).isEqualTo(512);
    }

    @Test
    void accept_at2mWhereTheHostMapped4k_fallsBackTo4k() {
        Vmm vmm = lab.host(Preset.V4);
        // PAGE_SIZE_MISMATCH: one page of the range is there at 4K already.
        TrustDomain td = large(vmm, "accept 16m+4k 4k; accept 16m+2m; halt", 1);
        TdSnapshot end = awaitFinished(td);
        assertThat(end.progress().pagesAccepted()).isEqualTo(512);
        assertThat(td.stats().get(Counter.LARGE_LEAVES)).isZero();
    }

    @Test
    void accept_at4kOnAPending2m_splitsIt() {
        Vmm vmm = lab.host(Preset.V4);
        KvmTdx vm = prefaulted(vmm, "accept 16m+64k 4k; halt");
        assertThat(vm.stats().get(Counter.DEMOTES)).isEqualTo(1);
        assertThat(vm.stats().get(Counter.LARGE_LEAVES)).isZero();
        // The pair went with DEMOTE, and all 512 pages count from then on.
        assertThat(vmm.memory().pamt().guestBytes()).isEqualTo(8192);
        assertThat(vmm.audit()).isEmpty();
    }

    @Test
    void conversion_ofAPart_splitsAndTakesThePartOut() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = large(vmm, "accept 16m+4m; share 17m+64k; write 17m+64k shared; halt", 1);
        awaitFinished(td);
        assertThat(td.stats().get(Counter.DEMOTES)).isEqualTo(1);
        assertThat(td.stats().get(Counter.LARGE_LEAVES)).isEqualTo(1);
        assertThat(td.memory().sharedPages()).isEqualTo(16);
        assertThat(vmm.memory().pamt().guestBytes()).isEqualTo(8192);
    }

    @Test
    void conversion_ofWhole2m_removesTheLeafWithoutSplitting() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = large(vmm, "accept 16m+4m; share 16m+2m; private 16m+2m; halt", 1);
        awaitFinished(td);
        assertThat(td.stats().get(Counter.DEMOTES)).isZero();
        assertThat(td.stats().get(Counter.LARGE_LEAVES)).isEqualTo(1);
        assertThat(vmm.memory().pamt().guestBytes()).isZero();
    }

    @Test
    void conversion_acrossTwoLeaves_splitsBoth() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = large(vmm, "accept 16m+4m; share 17m+2m; halt", 1);
        awaitFinished(td);
        assertThat(td.stats().get(Counter.DEMOTES)).isEqualTo(2);
        assertThat(((Td) td).vm().books().splitPoolHighWater()).isGreaterThanOrEqualTo(10);
    }

    @ParameterizedTest
    @EnumSource(Preset.class)
    void collapse_ofSplitPages_givesThePairBack(Preset preset) {
        Vmm vmm = lab.host(preset);
        KvmTdx vm = prefaulted(vmm, "accept 16m+2m 4k; halt");
        TrustDomain td = vmm.get("td").orThrow();
        assertThat(td.stats().get(Counter.DEMOTES)).isEqualTo(1);
        long septPages = td.memory().septPages();
        assertThat(vm.collapse(AT)).isEqualTo(Errno.OK);
        assertThat(td.stats().get(Counter.LARGE_LEAVES)).isEqualTo(1);
        assertThat(td.memory().septPages()).isEqualTo(septPages - 1);
        assertThat(vmm.memory().pamt().guestBytes()).isZero();
        assertThat(vmm.audit()).isEmpty();
    }

    @Test
    void collapse_afterAPunch_isRefusedBecauseThePagesAreElsewhere() {
        Vmm vmm = lab.host(Preset.V4);
        String program = "accept 16m+2m; share 16m+64k; private 16m+64k; accept 16m+64k; halt";
        TrustDomain td = large(vmm, program, 1);
        awaitFinished(td);
        assertThat(((Td) td).vm().collapse(AT)).isEqualTo(Errno.EINVAL);
    }

    @Test
    void collapse_ofPagesInDifferentStates_isUndone() {
        Vmm vmm = lab.host(Preset.V4);
        KvmTdx vm =
                prefaulted(vmm, "accept 16m+64k 4k; halt"); // 16 pages accepted, the others pending
        assertThat(vm.collapse(AT)).isEqualTo(Errno.EAGAIN);
        assertThat(vm.stats().get(Counter.LARGE_LEAVES)).isZero();
        assertThat(vmm.audit()).isEmpty();
    }

    @Test
    void collapse_whereItCannotBe_isRefused() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = large(vmm, "accept 16m+4m; share 16m+4k; halt", 1);
        awaitFinished(td);
        KvmTdx vm = ((Td) td).vm();
        assertThat(vm.collapse(AT)).as("a page is missing").isEqualTo(Errno.EINVAL);
        assertThat(vm.collapse(AT + (2 << 20))).as("large already").isEqualTo(Errno.EINVAL);
        assertThat(vm.collapse(AT + 4096)).as("not aligned").isEqualTo(Errno.EINVAL);
        TrustDomain small = boot(vmm, spec("small", 1, "accept 16m+2m; halt"));
        awaitFinished(small);
        assertThat(((Td) small).vm().collapse(AT)).as("not allowed").isEqualTo(Errno.EINVAL);
    }

    @Test
    void conversionsOfTwoVcpus_inOneLeaf_loseNothing() {
        Vmm vmm = lab.host(Preset.V4);
        String zero = "@0 { loop 30 { share 16m+64k; private 16m+64k; accept 16m+64k } }";
        String one = "@1 { loop 30 { share 17m+64k; private 17m+64k; accept 17m+64k } }";
        TrustDomain td = large(vmm, "accept 16m+4m; " + zero + "; " + one, 2);
        awaitFinished(td);
        assertThat(td.memory().leakedPages()).isZero();
        assertThat(td.stats().get(Counter.DEMOTES)).isEqualTo(1);
    }

    @Test
    void enable_afterInit_isRefused() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = vmm.create(spec("td", 1, "idle")).orThrow();
        assertThat(((Td) td).vm().enableLargePages()).isEqualTo(Errno.EINVAL);
    }

    /** A TD with a 2M page pending before its guest starts, which then accepts a part at 4K. */
    private static KvmTdx prefaulted(Vmm vmm, String program) {
        TrustDomainSpec wanted = spec("td", 1, program).withLargePages();
        TrustDomain td = vmm.create(wanted).orThrow();
        KvmTdx vm = ((Td) td).vm();
        Prefaults.map(vm, AT, PageInfo.LEVEL_2M);
        assertThat(vm.stats().get(Counter.LARGE_LEAVES)).isEqualTo(1);
        vmm.start("td").orThrow();
        awaitFinished(td);
        return vm;
    }

    private static TrustDomain large(Vmm vmm, String program, int vcpus) {
        TrustDomainSpec wanted = spec("td", vcpus, program).withLargePages();
        assertThat(wanted.memoryBytes()).isEqualTo(MEMORY);
        assertThat(Addresses.isAligned(AT, Addresses.RANGE_SIZE)).isTrue();
        return boot(vmm, wanted);
    }
}
