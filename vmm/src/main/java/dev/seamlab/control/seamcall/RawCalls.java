// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

import com.google.rpc.Code;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.explain.LeafGuide;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.v1.SeamcallRequest;
import dev.seamlab.v1.SeamcallResponse;
import dev.seamlab.vmm.RawMachine;
import io.grpc.Context;
import jakarta.inject.Singleton;
import java.util.Map;

/** Executes the SEAMCALLs of clients. */
@Singleton
final class RawCalls {
    private final Sandboxes sandboxes;

    RawCalls(Sandboxes sandboxes) {
        this.sandboxes = sandboxes;
    }

    /**
     * Executes one call. A client that goes away interrupts the CPU, so that a guest without an end
     * does not keep it.
     */
    SeamcallResponse execute(SeamcallRequest request) {
        RawMachine machine = sandboxes.find(request.getSandbox()).raw();
        int cpu = cpu(machine, request.getCpu());
        Registers regs = registers(request);
        Context client = Context.current();
        Context.CancellationListener gone = context -> machine.interrupt(cpu);
        client.addListener(gone, Runnable::run);
        try {
            if (!machine.call(cpu, regs, client::isCancelled)) {
                throw Rejection.of(
                        Code.CANCELLED,
                        "CANCELLED",
                        "the call was cancelled before its CPU was free",
                        Map.of("cpu", Integer.toString(cpu)));
            }
        } finally {
            client.removeListener(gone);
        }
        return SeamcallMapper.response(regs);
    }

    private static int cpu(RawMachine machine, int cpu) {
        int cpus = machine.machine().cpus().size();
        if (cpu < 0 || cpu >= cpus) {
            throw Rejection.invalid(
                    "cpu", "is " + Integer.toUnsignedString(cpu) + ", must be 0 to " + (cpus - 1));
        }
        if (!machine.isOnline(cpu)) {
            throw Rejection.precondition(
                    "CPU_OFFLINE", "cpu" + cpu, "CPU " + cpu + " is offline: choose another");
        }
        return cpu;
    }

    private static Registers registers(SeamcallRequest request) {
        Registers regs = SeamcallMapper.fromProto(request.getRegisters());
        if (request.hasLeaf()) {
            if (regs.rax() != 0) {
                throw Rejection.invalid(
                        "registers.rax", "must be 0 where leaf is set: leave one of the two out");
            }
            Leaf leaf = leaf("leaf.name", request.getLeaf().getName());
            regs.rax(leaf.rax(request.getLeaf().getVersion()));
        }
        return regs;
    }

    /**
     * The leaf with a name.
     *
     * @throws Rejection naming the field where there is none
     */
    static Leaf leaf(String field, String name) {
        return LeafGuide.named(name)
                .orElseThrow(() ->
                        Rejection.invalid(
                                field,
                                "there is no leaf \""
                                        + name
                                        + "\": take a name from ListLeaves, for example TDH.SYS.RD, or"
                                        + " set RAX"));
    }
}
