// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.Preset;
import dev.seamlab.host.fault.SeamcallFaults;
import dev.seamlab.machine.Hpa;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.StatusCode;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;

class TdListenerTest {
    private static final class Heard implements TdListener {
        final List<TdState> states = new CopyOnWriteArrayList<>();
        final List<String> gone = new CopyOnWriteArrayList<>();
        final List<Long> leaked = new CopyOnWriteArrayList<>();

        @Override
        public void changed(TdSnapshot now) {
            states.add(now.state());
        }

        @Override
        public void gone(TdSnapshot last) {
            gone.add(last.id());
        }

        @Override
        public void leaked(String id, @Hpa long page) {
            leaked.add(page);
        }
    }

    @Test
    void life_thatEndsByPowerOff_isHeardInOrder() {
        Heard heard = new Heard();
        try (Vmm vmm = Vmm.start(new VmmOptions(Lab.smallHost(), Preset.DEFAULT)).orThrow()) {
            vmm.addListener(heard);
            for (int i = 0; i < 20; i++) {
                heard.states.clear();
                TrustDomain td = Lab.boot(vmm, Lab.spec("ends", 2, "shutdown"));
                Lab.await(td, now -> now.state() == TdState.STOPPED);
                vmm.delete("ends").orThrow();
                assertThat(heard.states)
                        .containsExactly(
                                TdState.CREATING,
                                TdState.CREATED,
                                TdState.READY,
                                TdState.RUNNING,
                                TdState.STOPPING,
                                TdState.STOPPED,
                                TdState.DELETING);
            }
            assertThat(heard.gone).hasSize(20);
            assertThat(heard.leaked).isEmpty();
            assertThat(vmm.audit()).isEmpty();
        }
    }

    @Test
    void page_thatTheModuleKeeps_isHeardAsLeaked() {
        Heard heard = new Heard();
        try (Vmm vmm = Vmm.start(new VmmOptions(Lab.smallHost(), Preset.DEFAULT)).orThrow()) {
            vmm.addListener(heard);
            vmm.create(Lab.spec("leaky", 1, "idle")).orThrow();
            GuestRam.Mapping first =
                    vmm.ram().mappings("leaky", 0, 1, () -> false).orThrow().mappings().getFirst();
            GuestRam.HostPage behind = vmm.ram().page("leaky", first.gpa()).orThrow().page();
            assertThat(behind).isNotNull();
            try (SeamcallFaults faults = SeamcallFaults.on(vmm.host().machine())) {
                var _ = faults.refuseNext(Leaf.MEM_PAGE_REMOVE, StatusCode.TD_FATAL.word());
                Refusal refusal = Lab.refusal(vmm.ram().punch("leaky", first.gpa(), 4096));
                assertThat(refusal)
                        .isInstanceOfSatisfying(
                                Refusal.ModuleRefused.class,
                                refused ->
                                        assertThat(refused.leaf())
                                                .isEqualTo(Leaf.MEM_PAGE_REMOVE.abiName()));
            }
            assertThat(heard.leaked).containsExactly(behind.hpa());
            assertThat(vmm.ram().page(behind.hpa()).holder()).isEqualTo("leaked");
            assertThat(Lab.refusal(vmm.ram().convert("leaky", first.gpa(), 4096, false)))
                    .as("the VM is bugged")
                    .isInstanceOf(Refusal.ModuleRefused.class);
        }
    }

    @Test
    void memory_ofATrustDomainBeingBuilt_isRefusedAtOnce() {
        List<Refusal> refusals = new ArrayList<>();
        try (Vmm vmm = Vmm.start(new VmmOptions(Lab.smallHost(), Preset.DEFAULT)).orThrow()) {
            vmm.create(
                            Lab.spec("early", 1, "idle"),
                            () -> {
                                refusals.add(
                                        Lab.refusal(
                                                vmm.ram().mappings("early", 0, 1, () -> false)));
                                return false;
                            })
                    .orThrow();
            assertThat(refusals).isNotEmpty().allMatch(Refusal.NotBuilt.class::isInstance);
            assertThat(vmm.audit()).isEmpty();
        }
    }
}
