// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.Empty;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.guest.Workload;
import dev.seamlab.seam.abi.TdParams;
import dev.seamlab.v1.AcceptOperation;
import dev.seamlab.v1.ConvertOperation;
import dev.seamlab.v1.ExtendRtmrOperation;
import dev.seamlab.v1.FatalErrorOperation;
import dev.seamlab.v1.GuestOperation;
import dev.seamlab.v1.GuestOperations;
import dev.seamlab.v1.GuestProgram;
import dev.seamlab.v1.GuestRange;
import dev.seamlab.v1.LoopOperation;
import dev.seamlab.v1.OnVcpuOperation;
import dev.seamlab.v1.TouchOperation;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.UseOperation;
import dev.seamlab.v1.WalkOperation;
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
                        wide ? 52 : 48,
                        vcpus % 2 == 0);
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
    void operations_ofEveryKind_areTheSameAsTheirText() {
        GuestRange range = GuestRange.newBuilder().setStart(16 << 20).setEnd(18 << 20).build();
        GuestOperations body =
                GuestOperations.newBuilder()
                        .addOperations(op().setUse(UseOperation.newBuilder().setRange(range)))
                        .build();
        GuestOperations all =
                GuestOperations.newBuilder()
                        .addOperations(
                                op().setAccept(
                                                AcceptOperation.newBuilder()
                                                        .setRange(range)
                                                        .setSmallPages(true)))
                        .addOperations(
                                op().setTouch(
                                                TouchOperation.newBuilder()
                                                        .setRange(range)
                                                        .setShared(true)))
                        .addOperations(
                                op().setUse(
                                                UseOperation.newBuilder()
                                                        .setRange(range)
                                                        .setUnitBytes(4 << 20)))
                        .addOperations(
                                op().setWalk(
                                                WalkOperation.newBuilder()
                                                        .setRange(range)
                                                        .setTouches(9)
                                                        .setSkewPercent(120)
                                                        .setSeed(7)))
                        .addOperations(
                                op().setWalk(
                                                WalkOperation.newBuilder()
                                                        .setRange(range)
                                                        .setTouches(9)))
                        .addOperations(
                                op().setConvert(
                                                ConvertOperation.newBuilder()
                                                        .setRange(range)
                                                        .setToShared(true)))
                        .addOperations(
                                op().setExtendRtmr(
                                                ExtendRtmrOperation.newBuilder()
                                                        .setIndex(2)
                                                        .setText("kernel")))
                        .addOperations(op().setReportAddress(0x100_0000))
                        .addOperations(op().setSpinSteps(5))
                        .addOperations(
                                op().setLoop(LoopOperation.newBuilder().setTimes(3).setBody(body)))
                        .addOperations(
                                op().setOnVcpu(
                                                OnVcpuOperation.newBuilder()
                                                        .setVcpu(1)
                                                        .setBody(body)))
                        .addOperations(
                                op().setFatalError(
                                                FatalErrorOperation.newBuilder()
                                                        .setCode(5)
                                                        .setMessage("no root")))
                        .addOperations(op().setShutdown(Empty.getDefaultInstance()))
                        .addOperations(op().setHalt(Empty.getDefaultInstance()))
                        .build();
        GuestProgram.Builder program = GuestProgram.newBuilder().setOperations(all);
        String text =
                "accept 16m..18m 4k; write 16m..18m shared; use 16m..18m unit 4m;"
                        + " zipf 16m..18m 9 skew 120 seed 7; random 16m..18m 9; share 16m..18m;"
                        + " rtmr 2 \"kernel\"; report 16m; spin 5; loop 3 { use 16m..18m };"
                        + " @1 { use 16m..18m }; fatal 5 \"no root\"; shutdown; halt";
        assertThat(((dev.seamlab.guest.GuestProgram) workload(program)).ops())
                .isEqualTo(((dev.seamlab.guest.GuestProgram) Workload.parse(text)).ops());
    }

    private static GuestOperation.Builder op() {
        return GuestOperation.newBuilder();
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
