// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.vcpu;

import dev.seamlab.control.call.Rejection;
import dev.seamlab.guest.InvalidProgramException;
import dev.seamlab.guest.Workload;
import dev.seamlab.v1.ExecuteGuestProgramResponse;
import dev.seamlab.v1.Vcpu;
import dev.seamlab.v1.VcpuExit;
import dev.seamlab.v1.VcpuExit.Reason;
import dev.seamlab.vmm.DrivenVcpu;
import dev.seamlab.vmm.VcpuSnapshot;

/** From vCPUs and their exits to what clients see of them. */
public final class VcpuMapper {
    private VcpuMapper() {}

    static Vcpu toProto(String trustDomain, VcpuSnapshot vcpu) {
        return Vcpu.newBuilder()
                .setName(new VcpuName(trustDomain, vcpu.index()).toString())
                .setIndex(vcpu.index())
                .setState(
                        switch (vcpu.state()) {
                            case IDLE -> Vcpu.State.IDLE;
                            case RUNNING -> Vcpu.State.RUNNING;
                            case FINISHED -> Vcpu.State.FINISHED;
                            case DEAD -> Vcpu.State.DEAD;
                        })
                .setCpu(vcpu.cpu())
                .setTdvprHpa(vcpu.tdvprHpa())
                .setOperations(vcpu.operations())
                .setTdExits(vcpu.tdExits())
                .setPoolPages(vcpu.poolPages())
                .build();
    }

    static ExecuteGuestProgramResponse executed(DrivenVcpu.Executed executed) {
        return ExecuteGuestProgramResponse.newBuilder()
                .setExit(exit(executed.exit()))
                .setOperations(executed.operations())
                .setPrivateFaults(executed.privateFaults())
                .setSharedFaults(executed.sharedFaults())
                .build();
    }

    /** An exit to user space. */
    public static VcpuExit exit(dev.seamlab.vmm.VcpuExit exit) {
        VcpuExit.Builder proto = VcpuExit.newBuilder().setText(exit.text());
        return switch (exit) {
            case dev.seamlab.vmm.VcpuExit.MapGpa(long gpa, long size, boolean toPrivate) ->
                    proto.setReason(Reason.MAP_GPA)
                            .setGpa(gpa)
                            .setSizeBytes(size)
                            .setToPrivate(toPrivate)
                            .build();
            case dev.seamlab.vmm.VcpuExit.MemoryFault(long gpa, boolean isPrivate) ->
                    proto.setReason(Reason.MEMORY_FAULT)
                            .setGpa(gpa)
                            .setToPrivate(isPrivate)
                            .build();
            case dev.seamlab.vmm.VcpuExit.FatalError(long code, String _) ->
                    proto.setReason(Reason.FATAL_ERROR).setCode(code).build();
            case dev.seamlab.vmm.VcpuExit.Shutdown() -> proto.setReason(Reason.SHUTDOWN).build();
            case dev.seamlab.vmm.VcpuExit.UserTdvmcall(long number, String _) ->
                    proto.setReason(Reason.TDVMCALL).setCode(number).build();
            case dev.seamlab.vmm.VcpuExit.Halted() -> proto.setReason(Reason.HALTED).build();
            case dev.seamlab.vmm.VcpuExit.Interrupted() ->
                    proto.setReason(Reason.INTERRUPTED).build();
            case dev.seamlab.vmm.VcpuExit.Failed _ ->
                    proto.setReason(Reason.INTERNAL_ERROR).build();
        };
    }

    /**
     * Reads a piece of guest program.
     *
     * @throws Rejection INVALID_ARGUMENT that names line and column
     */
    public static Workload parse(String text) {
        try {
            return Workload.parse(text);
        } catch (InvalidProgramException e) {
            String before = text.substring(0, Math.min(e.position(), text.length()));
            int line = 1 + (int) before.chars().filter(c -> c == '\n').count();
            int column = before.length() - before.lastIndexOf('\n');
            throw Rejection.invalid(
                    "text", "line " + line + ", column " + column + ": " + e.getMessage());
        }
    }
}
