// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Why the VMM did not do what it was asked. Every refusal leaves the host as it was.
 *
 * <p>Sealed, so that whoever translates it has to answer every kind.
 */
public sealed interface Refusal {
    /** One sentence for a person, naming the field or object and what would help. */
    String message();

    /** The TD specification is wrong; nothing was touched. At least one violation. */
    record InvalidSpec(List<Violation> violations) implements Refusal {
        public InvalidSpec {
            violations = List.copyOf(violations);
        }

        @Override
        public String message() {
            return violations.stream().map(Violation::toString).collect(Collectors.joining("; "));
        }
    }

    /** No TD has this id. */
    record NotFound(String id) implements Refusal {
        @Override
        public String message() {
            return "there is no trust domain \"" + id + "\"";
        }
    }

    /** A TD has this id already. */
    record AlreadyExists(String id) implements Refusal {
        @Override
        public String message() {
            return "a trust domain \"" + id + "\" exists already; choose another id or delete it";
        }
    }

    /** The action is not legal in the TD's state. */
    record WrongState(String id, TdAction action, TdState state) implements Refusal {
        /** What would be legal now. */
        public Set<TdAction> legalActions() {
            return TdAction.legalIn(state);
        }

        @Override
        public String message() {
            return action
                    + " needs state "
                    + new TreeSet<>(action.legalFrom())
                    + "; trust domain \""
                    + id
                    + "\" is "
                    + state
                    + ", where "
                    + new TreeSet<>(legalActions())
                    + " would be legal";
        }
    }

    /** Every guest KeyID is taken (ENOSPC). One deleted TD makes room. */
    record NoKeyId(int keyIds) implements Refusal {
        @Override
        public String message() {
            return "all "
                    + keyIds
                    + " TDX KeyIDs for guests are in use; delete a trust domain and try again";
        }
    }

    /**
     * The host has no memory left for something (ENOMEM).
     *
     * @param what what could not be allocated
     */
    record NoMemory(String what) implements Refusal {
        @Override
        public String message() {
            return "no host memory left for " + what;
        }
    }

    /**
     * The TDX module refused a SEAMCALL.
     *
     * @param leaf name as the specification writes it
     * @param status completion status
     */
    record ModuleRefused(String step, String leaf, long status) implements Refusal {
        /** The operand that the status names, or null where it names none. */
        public @Nullable Operand operand() {
            return Operand.of((int) Status.detail(status));
        }

        @Override
        public String message() {
            return step + ": " + leaf + " answered " + Status.show(status);
        }
    }

    /**
     * A step of the host or of KVM failed with an errno.
     *
     * @param step the step that failed, for example {@code KVM_TDX_INIT_VCPU}
     * @param errno name of the errno, for example {@code EIO}
     */
    record HostError(String step, String errno, String reason) implements Refusal {
        @Override
        public String message() {
            return step + " failed with -" + errno + ": " + reason;
        }
    }

    /** The TD is not built yet, or is being torn down: it has no memory to work on. */
    record NotBuilt(String id, String step, TdState state) implements Refusal {
        @Override
        public String message() {
            return step
                    + " needs a trust domain that is built; \""
                    + id
                    + "\" is "
                    + state
                    + (state == TdState.DELETING ? "" : ", wait until it is READY");
        }
    }

    /**
     * A range of guest memory that the request cannot mean.
     *
     * @param field of the request
     */
    record BadRange(String field, String description) implements Refusal {
        @Override
        public String message() {
            return field + ": " + description;
        }
    }

    /** TDX does not let a host do this, whatever its state. */
    record NotAllowedByTdx(String id, String reason) implements Refusal {
        @Override
        public String message() {
            return reason;
        }
    }

    /** The guest ended in a way it cannot go on from: fatal error, triple fault, memory fault. */
    record GuestFailed(String id, int vcpu, String reason) implements Refusal {
        @Override
        public String message() {
            return "vCPU " + vcpu + " of trust domain \"" + id + "\": " + reason;
        }
    }

    /**
     * Its KVM machine is dead: KVM does nothing for it any more but to take it down (EIO).
     *
     * @param step what was asked
     */
    record VmDead(String id, String step) implements Refusal {
        @Override
        public String message() {
            return step
                    + ": the KVM machine of trust domain \""
                    + id
                    + "\" is dead (EIO); delete it, which releases its KeyID first";
        }
    }

    /** Somebody drives a vCPU of the TD by hand. */
    record VcpuDriven(String id, int vcpu) implements Refusal {
        @Override
        public String message() {
            return "a client drives vCPU "
                    + vcpu
                    + " of trust domain \""
                    + id
                    + "\" by hand; try again when it has finished";
        }
    }

    /** A vCPU that the TD does not have. */
    record NoVcpu(String id, int vcpu) implements Refusal {
        @Override
        public String message() {
            return "trust domain \"" + id + "\" has no vCPU " + vcpu;
        }
    }

    /** A call is on a vCPU of a step-wise virtual machine. */
    record StepVcpuBusy(String id, int vcpu) implements Refusal {
        @Override
        public String message() {
            return "a call is on vCPU "
                    + vcpu
                    + " of virtual machine \""
                    + id
                    + "\"; try again when it has come back";
        }
    }

    /** No step-wise virtual machine has this id. */
    record NoVm(String id) implements Refusal {
        @Override
        public String message() {
            return "there is no virtual machine \"" + id + "\"";
        }
    }

    /** A step-wise virtual machine has this id already. */
    record VmExists(String id) implements Refusal {
        @Override
        public String message() {
            return "a virtual machine \"" + id + "\" exists already";
        }
    }

    /** A vCPU that a step-wise virtual machine does not have. */
    record NoStepVcpu(String id, int vcpu) implements Refusal {
        @Override
        public String message() {
            return "virtual machine \"" + id + "\" has no vCPU " + vcpu;
        }
    }

    /**
     * An ioctl failed, as it does for any user space.
     *
     * @param ioctl for example {@code KVM_TDX_INIT_VM}
     * @param errno its name, for example {@code EINVAL}
     * @param hwError status word that KVM hands on to user space, or 0; it does for INIT_VM and
     *     FINALIZE_VM only
     * @param more what else user space finds in its structures
     * @param answer the SEAMCALL that made it fail, which the kernel tells its log and nobody else
     */
    record IoctlFailed(
            String ioctl,
            String errno,
            long hwError,
            Map<String, String> more,
            Optional<Answer> answer)
            implements Refusal {
        /** What the module answered. */
        public record Answer(String leaf, long status) {}

        public IoctlFailed {
            more = Map.copyOf(more);
        }

        @Override
        public String message() {
            return ioctl
                    + " failed with -"
                    + errno
                    + answer.map(a -> ": " + a.leaf() + " answered " + Status.show(a.status()))
                            .orElse("");
        }
    }

    /** Whoever asked no longer wants it. What had been built is gone again. */
    record Cancelled(String step) implements Refusal {
        @Override
        public String message() {
            return "cancelled during " + step;
        }
    }
}
