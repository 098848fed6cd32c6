// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.seamlab.control.call.Rejection;
import dev.seamlab.guest.Workload;
import dev.seamlab.seam.abi.TdParams;
import dev.seamlab.v1.GuestProgram;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.vmm.TdState;
import dev.seamlab.vmm.TrustDomainSpec;
import dev.seamlab.vmm.tdvf.TdvfImage;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SpecMapperTest {
    @Property(tries = 200)
    void spec_toProtoAndBack_isTheSame(
            @ForAll @LongRange(min = 0, max = 1L << 50) long memory,
            @ForAll @IntRange(min = 1, max = 576) int vcpus,
            @ForAll boolean debug,
            @ForAll boolean veDisable,
            @ForAll boolean wide) {
        TrustDomainSpec spec =
                new TrustDomainSpec(
                        "x",
                        memory,
                        vcpus,
                        TdvfImage.embedded(),
                        Workload.parse("boot-lazy percent=" + vcpus % 100),
                        (debug ? TdParams.ATTRIBUTE_DEBUG : 0)
                                | (veDisable ? TdParams.ATTRIBUTE_SEPT_VE_DISABLE : 0),
                        wide ? 52 : 48);
        assertThat(SpecMapper.toSpec("x", SpecMapper.toProto(spec).build())).isEqualTo(spec);
    }

    @Test
    void request_thatSaysLittle_getsTheDefaults() {
        TrustDomain request =
                TrustDomain.newBuilder()
                        .setMemoryBytes(1 << 20)
                        .setGuestProgram(GuestProgram.newBuilder().setBuiltIn("idle"))
                        .build();
        assertThat(SpecMapper.toSpec("x", request))
                .isEqualTo(TrustDomainSpec.of("x", 1 << 20, 1, Workload.parse("idle")));
    }

    @Test
    void builtIn_withParameters_isTheSameAsTheText() {
        GuestProgram.Builder program =
                GuestProgram.newBuilder().setBuiltIn("convert-storm").putParameters("rounds", 7);
        assertThat(workload(program)).isEqualTo(Workload.parse("convert-storm rounds=7"));
    }

    @Test
    void builtIn_thatDoesNotExist_isRefusedWithTheNamesThatDo() {
        assertThatThrownBy(() -> workload(GuestProgram.newBuilder().setBuiltIn("dance")))
                .isInstanceOf(Rejection.class)
                .hasMessageContaining("trust_domain.guest_program.built_in")
                .hasMessageContaining("boot-lazy");
    }

    @Test
    void text_withParametersBesideIt_isRefused() {
        assertThatThrownBy(() ->
                        workload(
                                GuestProgram.newBuilder()
                                        .setText("idle")
                                        .putParameters("rounds", 7)))
                .isInstanceOf(Rejection.class)
                .hasMessageContaining("parameters");
    }

    @ParameterizedTest
    @EnumSource
    void state_ofEveryKind_hasItsNameInTheApi(TdState state) {
        assertThat(TrustDomainMapper.toProto(state).name()).isEqualTo(state.name());
    }

    private static Workload workload(GuestProgram.Builder program) {
        return SpecMapper.toSpec(
                        "x",
                        TrustDomain.newBuilder()
                                .setMemoryBytes(1 << 20)
                                .setGuestProgram(program)
                                .build())
                .workload();
    }
}
