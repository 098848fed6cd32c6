// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import com.google.protobuf.Duration;
import com.google.protobuf.Timestamp;
import dev.seamlab.explain.Explanation;
import dev.seamlab.explain.LeafGuide;
import dev.seamlab.explain.Severity;
import dev.seamlab.explain.StatusGuide;
import dev.seamlab.machine.profile.AddressRange;
import dev.seamlab.machine.profile.MachineProfile;
import dev.seamlab.machine.profile.ModuleProfile;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.OpState;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.td.OpStateRules;
import dev.seamlab.v1.AddressSpan;
import dev.seamlab.v1.DecodedStatus;
import dev.seamlab.v1.LeafInfo;
import dev.seamlab.v1.ListLeavesResponse;
import dev.seamlab.v1.Registers;
import dev.seamlab.v1.Sandbox;
import dev.seamlab.v1.SeamcallRecord;
import dev.seamlab.v1.SeamcallResponse;
import dev.seamlab.vmm.RawMachine;
import java.time.Instant;
import java.util.Arrays;
import java.util.Comparator;
import org.jspecify.annotations.Nullable;

/** Between registers, statuses and leaves and what clients see of them. */
public final class SeamcallMapper {
    private static final long NANOS = 1_000_000_000L;

    private SeamcallMapper() {}

    static dev.seamlab.machine.Registers fromProto(Registers proto) {
        dev.seamlab.machine.Registers regs = new dev.seamlab.machine.Registers();
        for (int i = 0; i < dev.seamlab.machine.Registers.COUNT; i++) {
            // Fields are numbered as the CPU numbers registers, from 1.
            regs.set(i, (long) proto.getField(Registers.getDescriptor().findFieldByNumber(i + 1)));
        }
        return regs;
    }

    static Registers toProto(dev.seamlab.machine.Registers regs) {
        Registers.Builder proto = Registers.newBuilder();
        for (int i = 0; i < dev.seamlab.machine.Registers.COUNT; i++) {
            proto.setField(Registers.getDescriptor().findFieldByNumber(i + 1), regs.get(i));
        }
        return proto.build();
    }

    static SeamcallResponse response(dev.seamlab.machine.Registers after) {
        return SeamcallResponse.newBuilder()
                .setRegisters(toProto(after))
                .setStatus(
                        toProto(StatusGuide.get().explain(after.rax())).toBuilder()
                                .clearCause()
                                .clearNextStep())
                .build();
    }

    static SeamcallRecord record(
            int cpu,
            dev.seamlab.machine.Registers input,
            dev.seamlab.machine.Registers output,
            Instant returned,
            long nanos) {
        int number = (int) input.rax() & 0xFFFF;
        @Nullable Leaf leaf = Leaf.of(number);
        @Nullable StatusCode code = StatusCode.of(output.rax());
        return SeamcallRecord.newBuilder()
                .setReturnTime(
                        Timestamp.newBuilder()
                                .setSeconds(returned.getEpochSecond())
                                .setNanos(returned.getNano()))
                .setDuration(
                        Duration.newBuilder()
                                .setSeconds(nanos / NANOS)
                                .setNanos((int) (nanos % NANOS)))
                .setCpu(cpu)
                .setLeaf(number)
                .setLeafName(leaf == null ? "" : leaf.abiName())
                .setInput(toProto(input))
                .setOutput(toProto(output))
                .setStatusName(code == null ? "" : code.name())
                .setTdrHpa(SeamcallFilter.tdrOf(number, input))
                .build();
    }

    /** An explanation as the API says it; for the command, too, which needs no server for it. */
    public static DecodedStatus toProto(Explanation explained) {
        return DecodedStatus.newBuilder()
                .setWord(explained.word())
                .setName(explained.name())
                .setStatusClass(explained.statusClass())
                .setClassName(explained.className())
                .setSeverity(toProto(explained.severity()))
                .setError(explained.error())
                .setRecoverable(explained.recoverable())
                .setOperand(explained.operand())
                .setDetail((int) explained.detail())
                .setCause(explained.cause())
                .setNextStep(explained.next())
                .build();
    }

    private static DecodedStatus.Severity toProto(Severity severity) {
        return switch (severity) {
            case SUCCESS -> DecodedStatus.Severity.SUCCESS;
            case INFORMATIONAL -> DecodedStatus.Severity.INFORMATIONAL;
            case RECOVERABLE -> DecodedStatus.Severity.RECOVERABLE;
            case NON_RECOVERABLE -> DecodedStatus.Severity.NON_RECOVERABLE;
            case FATAL -> DecodedStatus.Severity.FATAL;
        };
    }

    static ListLeavesResponse leaves(RawMachine machine) {
        ListLeavesResponse.Builder proto = ListLeavesResponse.newBuilder();
        Arrays.stream(Leaf.values())
                .sorted(Comparator.comparingInt(Leaf::number))
                .forEach(leaf -> proto.addLeaves(toProto(leaf, machine.has(leaf))));
        return proto.build();
    }

    private static LeafInfo toProto(Leaf leaf, boolean modelled) {
        LeafInfo.Builder proto =
                LeafInfo.newBuilder()
                        .setNumber(leaf.number())
                        .setName(leaf.abiName())
                        .setMaxVersion(leaf.maxVersion())
                        .setModelled(modelled)
                        .setPurpose(LeafGuide.get().purpose(leaf));
        for (OpState state : OpState.values()) {
            if (OpStateRules.allows(leaf, state)) {
                proto.addOpStates(state.name());
            }
        }
        return proto.build();
    }

    static Sandbox toProto(RawTarget target) {
        MachineProfile profile = target.raw().machine().profile();
        ModuleProfile module = profile.module();
        Sandbox.Builder proto =
                Sandbox.newBuilder()
                        .setName(target.name())
                        .setProfile(profile.name())
                        .setCpuCount(profile.cpus())
                        .setPackageCount(profile.packages())
                        .setFirstPrivateKeyId(profile.keyIds().firstPrivate())
                        .setMemoryBytes(profile.memoryBytes())
                        .setModuleVersion(
                                module.major() + "." + module.minor() + "." + module.update());
        for (AddressRange cmr : profile.cmrs()) {
            proto.addCmrs(AddressSpan.newBuilder().setStart(cmr.start()).setEnd(cmr.end()));
        }
        return proto.build();
    }
}
