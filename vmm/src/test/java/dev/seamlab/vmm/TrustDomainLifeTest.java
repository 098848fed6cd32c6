// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import static dev.seamlab.vmm.Lab.MEMORY;
import static dev.seamlab.vmm.Lab.awaitFinished;
import static dev.seamlab.vmm.Lab.boot;
import static dev.seamlab.vmm.Lab.refusal;
import static dev.seamlab.vmm.Lab.spec;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.guest.Workload;
import dev.seamlab.host.Preset;
import dev.seamlab.machine.Addresses;
import dev.seamlab.vmm.tdvf.TdvfImage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TrustDomainLifeTest {
    @RegisterExtension final Lab lab = new Lab();

    @ParameterizedTest
    @EnumSource(Preset.class)
    void life_everyPreset_runsAndComesBackWhole(Preset preset) {
        Vmm vmm = lab.host(preset);
        boolean dynamic = preset != Preset.STATIC;
        assertThat(vmm.dynamicPamtEnabled()).isEqualTo(dynamic);

        TrustDomain td = vmm.create(spec("td", 2, "touch-all")).orThrow();
        assertThat(td.state()).isEqualTo(TdState.READY);
        assertThat(td.snapshot().mrtd()).hasSize(96);
        assertThat(td.memory().privatePages()).isEqualTo(TdvfImage.embedded().pages());
        vmm.start("td").orThrow();
        TdSnapshot end = awaitFinished(td);

        long ram = MEMORY / Addresses.PAGE_SIZE;
        long lowSections = TdvfImage.embedded().pages() - 3;
        assertThat(end.progress().pagesAccepted()).isEqualTo(ram - lowSections);
        assertThat(end.progress().privateFaults()).isEqualTo(ram - lowSections);
        assertThat(td.memory().privatePages()).isEqualTo(ram + 3);
        assertThat(vmm.memory().pamt().totalBytes()).isEqualTo(8192 * vmm.memory().backedRanges());
        assertThat(td.memory().pamt()).isEqualTo(vmm.memory().pamt());
        if (dynamic) {
            assertThat(vmm.memory().backedRanges()).isGreaterThanOrEqualTo(MEMORY >> 21);
        } else {
            assertThat(vmm.memory().backedRanges()).isZero();
        }
        assertThat(vmm.audit()).isEmpty();
        vmm.stop("td").orThrow();
        vmm.delete("td").orThrow();
        assertThat(vmm.memory().pamt()).isEqualTo(PamtShare.NONE);
        assertThat(vmm.memory().guestKeyIdsInUse()).isZero();
    }

    @Test
    void mrtd_embeddedFirmware_isWhatTheRuleSays() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = vmm.create(spec("td", 1, "idle")).orThrow();
        assertThat(td.snapshot().mrtd()).isEqualTo(Mrtd.of(td.spec()));
    }

    @Test
    void mrtd_anotherMemorySize_isTheSame() {
        // The TD_HOB section is added, not measured.
        Vmm vmm = lab.host(Preset.V4);
        String small = vmm.create(spec("small", 1, "idle")).orThrow().snapshot().mrtd();
        TrustDomainSpec larger = TrustDomainSpec.of("large", 4 * MEMORY, 2, Workload.parse("idle"));
        assertThat(vmm.create(larger).orThrow().snapshot().mrtd()).isEqualTo(small);
    }

    @Test
    void conversion_privateToSharedAndBack_leavesNothingBehind() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = vmm.create(spec("td", 1, "convert-storm rounds=20 pages=8")).orThrow();
        long mapped = td.memory().privatePages();
        vmm.start("td").orThrow();
        TdSnapshot end = awaitFinished(td);
        assertThat(end.progress().conversions()).isEqualTo(20 * 8 * 2);
        assertThat(end.progress().sharedFaults()).isEqualTo(20 * 8);
        assertThat(end.progress().pagesAccepted()).isEqualTo(8 + 20 * 8);
        assertThat(td.memory().privatePages()).isEqualTo(mapped + 8);
        assertThat(td.memory().guestMemfdPages()).isEqualTo(mapped + 8);
        assertThat(td.memory().sharedPages()).isZero();
    }

    @Test
    void conversion_ofTwoVcpusAtOnce_kicksWithoutLosingAPage() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = boot(vmm, spec("td", 2, "convert-storm rounds=100 pages=4"));
        TdSnapshot end = awaitFinished(td);
        assertThat(end.progress().conversions()).isEqualTo(2 * 100 * 4 * 2);
        assertThat(td.memory().leakedPages()).isZero();
    }

    @Test
    void conversion_withoutMapGpa_isDoneOnTheGuestsBehalf() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = boot(vmm, spec("td", 1, "touch 0x1000000+16k shared; halt"));
        TdSnapshot end = awaitFinished(td);
        assertThat(end.progress().conversions()).isEqualTo(4);
        assertThat(td.memory().sharedPages()).isEqualTo(4);
    }

    @Test
    void vcpus_onTheSamePages_faultEachPageOnce() {
        Vmm vmm = lab.host(Preset.V4);
        String program = "accept 0x1000000+4m 4k; touch 0x1000000+4m; halt";
        TrustDomain td = boot(vmm, spec("td", 4, program));
        TdSnapshot end = awaitFinished(td);
        // A page is accepted once, whoever comes first; the others find it accepted.
        assertThat(end.progress().pagesAccepted()).isEqualTo(1024);
        assertThat(td.memory().privatePages()).isEqualTo(TdvfImage.embedded().pages() + 1024);
    }

    @Test
    void vcpus_moreThanCpusOverAll_shareThem() {
        Vmm vmm = lab.host(Preset.V4);
        List<TrustDomain> tds = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            tds.add(boot(vmm, spec("td" + i, 4, "boot-lazy percent=5")));
        }
        tds.forEach(Lab::awaitFinished);
    }

    @Test
    void hundredTds_createdAndDestroyed_leaveEveryFigureAsItWas() {
        Vmm vmm = lab.host(Preset.V4);
        HostMemory before = vmm.memory();
        for (int i = 0; i < 100; i++) {
            String id = "td" + i;
            TrustDomain td = boot(vmm, spec(id, 1 + i % 2, "boot-eager percent=10"));
            if (i % 3 != 0) {
                awaitFinished(td);
            }
            vmm.stop(id).orThrow();
            vmm.delete(id).orThrow();
            assertThat(vmm.memory()).isEqualTo(before);
        }
    }

    @Test
    void pauseAndResume_inTheMiddle_goesOn() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = boot(vmm, spec("td", 2, "convert-storm rounds=50 pages=16"));
        vmm.pause("td").orThrow();
        TdSnapshot paused = td.snapshot();
        assertThat(paused.state()).isEqualTo(TdState.PAUSED);
        assertThat(vmm.audit()).isEmpty();
        assertThat(td.snapshot()).isEqualTo(paused);
        vmm.resume("td").orThrow();
        assertThat(awaitFinished(td).progress().conversions()).isEqualTo(2 * 50 * 16 * 2);
    }

    @Test
    void stop_spinningGuest_getsItOut() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = boot(vmm, spec("td", 4, "spin 1000000000000"));
        Lab.await(td, now -> now.progress().operations() > 1000);
        vmm.stop("td").orThrow();
        assertThat(td.state()).isEqualTo(TdState.STOPPED);
    }

    @Test
    void shutdown_byOneVcpu_stopsTheTd() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = boot(vmm, spec("td", 2, "@0 { shutdown }; @1 { spin 1000000000000 }"));
        Lab.await(td, now -> now.state() == TdState.STOPPED);
    }

    @Test
    void fatalError_ofTheGuest_failsTheTdWithItsMessage() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = boot(vmm, spec("td", 1, "fatal 0x10000 \"no root device\""));
        TdSnapshot end = Lab.await(td, now -> now.state() == TdState.FAILED);
        assertThat(end.failure()).isPresent();
        assertThat(end.failure().orElseThrow().message())
                .contains("0x10000", "no root device", "vCPU 0");
        vmm.delete("td").orThrow();
    }

    @Test
    void touch_ofAPageNotAccepted_withoutVeEndsTheTd() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = boot(vmm, spec("td", 1, "touch 0x1000000+4k"));
        TdSnapshot end = Lab.await(td, now -> now.state() == TdState.FAILED);
        assertThat(end.failure().orElseThrow().message()).contains("had not accepted");
    }

    @Test
    void touch_ofAPageNotAccepted_withVeIsAcceptedByTheHandler() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomainSpec plain = spec("td", 1, "touch 0x1000000+64k; halt");
        TrustDomain td =
                boot(
                        vmm,
                        new TrustDomainSpec(
                                "td", MEMORY, 1, plain.firmware(), plain.workload(), 0, 48));
        assertThat(awaitFinished(td).progress().pagesAccepted()).isEqualTo(16);
    }

    @Test
    void touch_whereThereIsNoMemory_failsTheTdNamingTheAddress() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = boot(vmm, spec("td", 1, "touch 0x40000000+4k"));
        TdSnapshot end = Lab.await(td, now -> now.state() == TdState.FAILED);
        assertThat(end.failure().orElseThrow().message())
                .contains("0x0000_0000_4000_0000", "no memory");
    }

    @Test
    void fiveLevels_withWideAddresses_work() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomainSpec plain = spec("td", 1, "use 0x1000000+2m; share 0x1000000+8k; halt");
        TrustDomain td =
                boot(
                        vmm,
                        new TrustDomainSpec(
                                "td",
                                MEMORY,
                                1,
                                plain.firmware(),
                                plain.workload(),
                                plain.attributes(),
                                52));
        assertThat(awaitFinished(td).progress().pagesAccepted()).isEqualTo(512);
    }

    @Test
    void measurement_atRunTime_works() {
        Vmm vmm = lab.host(Preset.V4);
        String program = "rtmr 2 \"initrd\"; accept 0x1000000+4k 4k; report 0x1000000; halt";
        assertThat(awaitFinished(boot(vmm, spec("td", 1, program))).state())
                .isEqualTo(TdState.RUNNING);
    }

    @Test
    void keyIds_exhausted_oneDeleteMakesRoom() {
        Vmm vmm = lab.host(Preset.V4);
        int keys = vmm.memory().guestKeyIds();
        for (int i = 0; i < keys; i++) {
            vmm.create(spec("td" + i, 1, "idle")).orThrow();
        }
        HostMemory full = vmm.memory();
        assertThat(refusal(vmm.create(spec("late", 1, "idle"))))
                .isEqualTo(new Refusal.NoKeyId(keys));
        assertThat(vmm.memory()).isEqualTo(full);
        vmm.delete("td3").orThrow();
        vmm.create(spec("late", 1, "idle")).orThrow();
    }

    @Test
    void create_memoryRunsOutAtEachPoint_leavesTheHostAsItWas() {
        Vmm vmm = lab.host(Preset.V4);
        HostMemory before = vmm.memory();
        AtomicInteger left = new AtomicInteger();
        vmm.host().pages().setGate((use, pages) -> left.getAndDecrement() > 0);
        int points = 0;
        for (boolean built = false; !built; points++) {
            left.set(points);
            Outcome<TrustDomain> outcome = vmm.create(spec("td", 1, "idle"));
            left.set(Integer.MAX_VALUE);
            built = outcome instanceof Outcome.Done<TrustDomain>;
            if (!built) {
                assertThat(refusal(outcome)).isInstanceOf(Refusal.NoMemory.class);
                assertThat(vmm.memory()).as("after point %d", points).isEqualTo(before);
                assertThat(vmm.audit()).as("after point %d", points).isEmpty();
                assertThat(vmm.list()).isEmpty();
            }
        }
        assertThat(points).as("allocations that were refused once each").isGreaterThan(30);
    }

    @Test
    void create_cancelledAtEachPoint_leavesTheHostAsItWas() {
        Vmm vmm = lab.host(Preset.V4);
        HostMemory before = vmm.memory();
        AtomicInteger left = new AtomicInteger();
        boolean built = false;
        for (int point = 0; !built; point++) {
            left.set(point);
            Outcome<TrustDomain> outcome =
                    vmm.create(spec("td", 2, "idle"), () -> left.getAndDecrement() <= 0);
            built = outcome instanceof Outcome.Done<TrustDomain>;
            if (!built) {
                assertThat(refusal(outcome)).isInstanceOf(Refusal.Cancelled.class);
                assertThat(vmm.memory()).isEqualTo(before);
            }
        }
    }

    @Test
    void run_memoryRunsOutInAFault_failsTheTdAndCanBeDeleted() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = vmm.create(spec("td", 1, "touch-all")).orThrow();
        AtomicInteger left = new AtomicInteger(100);
        vmm.host().pages().setGate((use, pages) -> left.getAndDecrement() > 0);
        vmm.start("td").orThrow();
        TdSnapshot end = Lab.await(td, now -> now.state() == TdState.FAILED);
        assertThat(end.failure().orElseThrow().message()).contains("no memory left", "ENOMEM");
        left.set(Integer.MAX_VALUE);
        vmm.delete("td").orThrow();
    }

    @Test
    void actions_inTheWrongState_sayWhatWouldBeLegal() {
        Vmm vmm = lab.host(Preset.V4);
        vmm.create(spec("td", 1, "idle")).orThrow();
        assertThat(refusal(vmm.stop("td")).message()).contains("READY", "START", "DELETE");
        assertThat(refusal(vmm.start("nobody"))).isEqualTo(new Refusal.NotFound("nobody"));
        assertThat(refusal(vmm.create(spec("td", 1, "idle"))))
                .isEqualTo(new Refusal.AlreadyExists("td"));
        vmm.start("td").orThrow();
        assertThat(refusal(vmm.delete("td")))
                .isEqualTo(new Refusal.WrongState("td", TdAction.DELETE, TdState.RUNNING));
    }

    @Test
    void validate_manyFaults_namesEachFieldAndTouchesNothing() {
        Vmm vmm = lab.host(Preset.V4);
        HostMemory before = vmm.memory();
        TrustDomainSpec bad =
                new TrustDomainSpec(
                        "Bad_Id",
                        4097,
                        99,
                        TdvfImage.embedded(),
                        Workload.parse("idle"),
                        1L << 40,
                        47);
        assertThat(vmm.validate(bad))
                .extracting(Violation::field)
                .containsExactlyInAnyOrder(
                        "id", "memory_bytes", "vcpus", "attributes", "gpa_width");
        assertThat(refusal(vmm.create(bad))).isInstanceOf(Refusal.InvalidSpec.class);
        assertThat(vmm.memory()).isEqualTo(before);
        TrustDomainSpec far = spec("td", 1, "touch 0x800000000000+4k; @3 { halt }");
        assertThat(vmm.validate(far))
                .extracting(Violation::field)
                .containsExactly("program", "program");
        TrustDomainSpec tiny = TrustDomainSpec.of("td", 1 << 20, 1, Workload.parse("idle"));
        assertThat(vmm.validate(tiny)).extracting(Violation::field).containsExactly("memory_bytes");
    }

    @Test
    void subscription_reportsEveryStateOnceAndEndsWithTheTd() {
        Vmm vmm = lab.host(Preset.V4);
        TrustDomain td = vmm.create(spec("td", 1, "boot-lazy percent=1")).orThrow();
        List<TdState> seen = new ArrayList<>();
        long last = 0;
        try (TdSubscription stream = td.subscribe(0)) {
            vmm.start("td").orThrow();
            awaitFinished(td);
            vmm.stop("td").orThrow();
            vmm.delete("td").orThrow();
            while (!stream.ended()) {
                var next = stream.next(Duration.ofSeconds(5));
                if (next.isPresent()) {
                    assertThat(next.get().revision()).isGreaterThan(last);
                    last = next.get().revision();
                    if (seen.isEmpty() || seen.getLast() != next.get().state()) {
                        seen.add(next.get().state());
                    }
                }
            }
        }
        assertThat(seen)
                .containsSubsequence(
                        TdState.RUNNING, TdState.STOPPING, TdState.STOPPED, TdState.DELETING);
    }
}
