// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.vcpu;

import com.google.rpc.Code;
import dev.seamlab.control.call.ErrorMapper;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.guest.Workload;
import dev.seamlab.v1.ExecuteGuestProgramRequest;
import dev.seamlab.v1.ExecuteGuestProgramResponse;
import dev.seamlab.vmm.DrivenVcpu;
import dev.seamlab.vmm.Vmm;
import io.grpc.Context;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A vCPU in the hand of one call, from the first message to the end of the call. When the caller
 * goes away or its deadline passes the vCPU is kicked out. One message at a time.
 */
final class Driving implements AutoCloseable {
    private final Vmm vmm;
    private final ErrorMapper errors;
    private final Context context = Context.current();
    private @Nullable VcpuName name;
    private @Nullable DrivenVcpu vcpu;
    private Context.@Nullable CancellationListener kick;

    Driving(Vmm vmm, ErrorMapper errors) {
        this.vmm = vmm;
        this.errors = errors;
    }

    /** Drives the vCPU; the first call says which. */
    <T> T drive(VcpuName which, Function<DrivenVcpu, T> work) {
        DrivenVcpu driven = vcpu;
        if (driven == null) {
            driven = errors.granted(vmm.drive(which.trustDomain(), which.index()));
            vcpu = driven;
            name = which;
            Context.CancellationListener listener = new Kick(driven);
            kick = listener;
            context.addListener(listener, Runnable::run);
        }
        T result = work.apply(driven);
        if (context.isCancelled()) {
            throw Rejection.of(Code.CANCELLED, "CALL_ENDED", "the caller left", Map.of());
        }
        return result;
    }

    private record Kick(DrivenVcpu vcpu) implements Context.CancellationListener {
        @Override
        public void cancelled(Context context) {
            vcpu.cancel();
        }
    }

    /** Executes the piece of one message. */
    ExecuteGuestProgramResponse execute(ExecuteGuestProgramRequest request) {
        VcpuName known = name;
        VcpuName which = known == null ? first(request) : same(request, known);
        Workload piece = VcpuMapper.parse(request.getText());
        return VcpuMapper.executed(drive(which, driven -> driven.execute(piece)));
    }

    private static VcpuName first(ExecuteGuestProgramRequest request) {
        if (request.getName().isEmpty()) {
            throw Rejection.invalid("name", "is needed in the first message");
        }
        return VcpuName.parse(request.getName());
    }

    private static VcpuName same(ExecuteGuestProgramRequest request, VcpuName known) {
        if (!request.getName().isEmpty() && !request.getName().equals(known.toString())) {
            throw Rejection.invalid(
                    "name", "must be empty or " + known + ", as in the first message");
        }
        return known;
    }

    @Override
    public void close() {
        Context.CancellationListener listener = kick;
        if (listener != null) {
            context.removeListener(listener);
        }
        DrivenVcpu driven = vcpu;
        if (driven != null) {
            vcpu = null;
            driven.close();
        }
    }
}
