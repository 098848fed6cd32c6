// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.Machine;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.Seam;
import dev.seamlab.seam.TdxModule;
import dev.seamlab.seam.abi.Leaf;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The emulated module, which counts its calls and can be told to refuse one. For one thread. */
public final class ScriptedSeam implements Seam {
    private final TdxModule module;
    private final Map<Leaf, Integer> calls = new EnumMap<>(Leaf.class);
    private final List<Long> fieldsRead = new ArrayList<>();
    private @Nullable Leaf refused;
    private long refusal;
    private int refusals;
    private int refuseAt = -1;
    private int total;

    /** Loads a module into a machine. */
    public static ScriptedSeam loadInto(Machine machine) {
        ScriptedSeam seam = new ScriptedSeam(new TdxModule(machine));
        machine.load(seam);
        return seam;
    }

    private ScriptedSeam(TdxModule module) {
        this.module = module;
    }

    /** The next call of this leaf answers this status instead of running. */
    public void refuseNext(Leaf leaf, long status) {
        refuseNext(leaf, status, 1);
    }

    /** The next calls of this leaf answer this status instead of running. */
    public void refuseNext(Leaf leaf, long status, int times) {
        refused = leaf;
        refusal = status;
        refusals = times;
    }

    /** The n-th call from the start, counted from 0, answers this status instead of running. */
    public void refuseAt(int call, long status) {
        refuseAt = call;
        refusal = status;
    }

    /** The module behind; load it where several threads call. */
    public TdxModule module() {
        return module;
    }

    /** Calls so far. */
    public int total() {
        return total;
    }

    /** Calls of a leaf so far. */
    public int calls(Leaf leaf) {
        return calls.getOrDefault(leaf, 0);
    }

    /** Fields that SYS.RD was asked for. */
    public List<Long> fieldsRead() {
        return fieldsRead;
    }

    @Override
    public long call(LogicalCpu cpu, Registers regs) {
        Leaf leaf = Leaf.of((int) regs.rax() & 0xFFFF);
        calls.merge(leaf, 1, Integer::sum);
        if (leaf == Leaf.SYS_RD) {
            fieldsRead.add(regs.rdx());
        }
        boolean refuse = (leaf == refused && refusals-- > 0) || total == refuseAt;
        total++;
        if (refuse) {
            regs.rax(refusal);
            return refusal;
        }
        return module.call(cpu, regs);
    }
}
