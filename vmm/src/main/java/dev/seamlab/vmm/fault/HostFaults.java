// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.fault;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.mem.AllocationGate;
import dev.seamlab.host.mem.PageAllocator;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.Seam;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.vmm.fault.FaultRule.OfAllocation;
import dev.seamlab.vmm.fault.FaultRule.OfLeaf;
import dev.seamlab.vmm.fault.FaultRule.Scope;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The faults that are armed on a host. Those of SEAMCALLs stand between the instruction and the
 * module ({@link Machine#intercept}), those of allocations in the allocator's gate; both are there
 * only while something is armed, so that a host without faults pays nothing.
 *
 * <p>Faults are asked in the order in which they were armed. One that answers ends the matter; one
 * that only delays does not. A SEAMCALL that is answered here was not executed: nothing but RAX
 * changes, as when the module refuses.
 *
 * <p>Any thread may arm and disarm at any time. One instance for each machine.
 */
public final class HostFaults {
    /** For whom a CPU works. */
    @FunctionalInterface
    public interface Customers {
        /** Whether the claimant of a CPU works for this trust domain at the moment. */
        boolean worksFor(int cpu, String trustDomain);
    }

    private static final int NO_CPU = -1;
    private static final int LEAF_MASK = 0xFFFF;

    private final Machine machine;
    private final PageAllocator allocator;
    private final Customers customers;

    // Changed under this; calls read whatever array they find.
    private volatile ArmedFault[] ofLeaves = {};
    private volatile ArmedFault[] ofAllocations = {};

    public HostFaults(Machine machine, PageAllocator allocator, Customers customers) {
        this.machine = machine;
        this.allocator = allocator;
        this.customers = customers;
    }

    /** Arms a fault; calls that begin from now on meet it. */
    public synchronized ArmedFault arm(FaultRule rule) {
        ArmedFault fault = new ArmedFault(rule);
        switch (rule.target()) {
            case OfLeaf _ -> setOfLeaves(with(ofLeaves, fault));
            case OfAllocation _ -> setOfAllocations(with(ofAllocations, fault));
        }
        return fault;
    }

    /** Takes a fault away; calls that it delays go on at once. */
    public synchronized void disarm(ArmedFault fault) {
        switch (fault.rule().target()) {
            case OfLeaf _ -> setOfLeaves(without(ofLeaves, fault));
            case OfAllocation _ -> setOfAllocations(without(ofAllocations, fault));
        }
        fault.disarm();
    }

    /** Takes all faults away, before a host is torn down. */
    public synchronized void disarmAll() {
        List<ArmedFault> all = new ArrayList<>(List.of(ofLeaves));
        all.addAll(List.of(ofAllocations));
        all.forEach(this::disarm);
    }

    private void setOfLeaves(ArmedFault[] faults) {
        boolean before = ofLeaves.length > 0;
        ofLeaves = faults;
        if (faults.length > 0 && !before) {
            machine.intercept(module -> (cpu, regs) -> call(module, cpu, regs));
        } else if (faults.length == 0 && before) {
            machine.intercept(null);
        }
    }

    private void setOfAllocations(ArmedFault[] faults) {
        ofAllocations = faults;
        allocator.setGate(faults.length == 0 ? AllocationGate.OPEN : new Gate());
    }

    private static ArmedFault[] with(ArmedFault[] faults, ArmedFault one) {
        List<ArmedFault> more = new ArrayList<>(List.of(faults));
        more.add(one);
        return more.toArray(ArmedFault[]::new);
    }

    private static ArmedFault[] without(ArmedFault[] faults, ArmedFault one) {
        List<ArmedFault> fewer = new ArrayList<>(List.of(faults));
        fewer.remove(one);
        return fewer.toArray(ArmedFault[]::new);
    }

    // ------------------------------------------------------------------ SEAMCALLs

    private long call(Seam module, LogicalCpu cpu, Registers regs) {
        Leaf leaf = Leaf.of((int) regs.rax() & LEAF_MASK);
        for (ArmedFault fault : ofLeaves) {
            FaultRule rule = fault.rule();
            if (leaf != null
                    && rule.target() instanceof OfLeaf(Leaf wanted)
                    && wanted == leaf
                    && isInScope(rule.scope(), cpu.index())
                    && fault.strikes()) {
                fault.delay();
                if (rule.status().isPresent()) {
                    long status = rule.status().getAsLong();
                    regs.rax(status);
                    return status;
                }
            }
        }
        return module.call(cpu, regs);
    }

    // ------------------------------------------------------------------ allocations

    private final class Gate implements AllocationGate {
        @Override
        public boolean admits(PageUse use, long pages) {
            return admit(NO_CPU, use);
        }

        @Override
        public boolean admits(HostCpu cpu, PageUse use) {
            return admit(cpu.index(), use);
        }
    }

    private boolean admit(int cpu, PageUse use) {
        for (ArmedFault fault : ofAllocations) {
            if (fault.rule().target() instanceof OfAllocation(@Nullable PageUse wanted)
                    && (wanted == null || wanted == use)
                    && isInScope(fault.rule().scope(), cpu)
                    && fault.strikes()) {
                fault.delay();
                return false;
            }
        }
        return true;
    }

    private boolean isInScope(Scope scope, int cpu) {
        String trustDomain = scope.trustDomain();
        return (scope.cpu().isEmpty() || scope.cpu().getAsInt() == cpu)
                && (trustDomain == null || (cpu != NO_CPU && customers.worksFor(cpu, trustDomain)));
    }
}
