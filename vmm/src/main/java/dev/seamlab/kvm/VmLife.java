// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.sched.Cells;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;

/**
 * Where a TD stands, and the switches that any thread of its VM looks at.
 *
 * <pre>
 *   UNINITIALIZED -INIT_VM-> INITIALIZED -FINALIZE_VM-> RUNNABLE
 *        |                        |                         |
 *        +------------------------+-----destroy-------------+--> TEARING_DOWN --> DESTROYED
 * </pre>
 *
 * <p>Apart from that it may be dead, from any stage, and stays so: bugged (KVM_BUG_ON), killed,
 * terminated, or ended by its own guest. Every ioctl is EIO then, but that TERMINATE_VM still
 * releases the KeyID of one that is not bugged (kvm_vm_dead without kvm_vm_bugged).
 *
 * <p>Stages change under KVM with all vCPUs locked; everything here is read without a lock.
 */
final class VmLife {
    /** Where the VM stands with the module. */
    enum Stage {
        UNINITIALIZED,
        INITIALIZED,
        RUNNABLE,
        /** May be stopped and gone on with, so it may follow itself. */
        TEARING_DOWN,
        DESTROYED;

        private static final Map<Stage, Set<Stage>> NEXT =
                new EnumMap<>(
                        Map.of(
                                UNINITIALIZED, EnumSet.of(INITIALIZED, TEARING_DOWN),
                                INITIALIZED, EnumSet.of(RUNNABLE, TEARING_DOWN),
                                RUNNABLE, EnumSet.of(TEARING_DOWN),
                                TEARING_DOWN, EnumSet.of(TEARING_DOWN, DESTROYED),
                                DESTROYED, EnumSet.noneOf(Stage.class)));

        boolean mayBecome(Stage next) {
            return NEXT.getOrDefault(this, Set.of()).contains(next);
        }
    }

    private static final Stage[] STAGES = Stage.values();
    private static final int STAGE = 16;
    private static final int DEAD = 32;
    private static final int HOLD = 33;
    private static final int PRE_FAULT_ALLOWED = 34;
    private static final int NO_EXIT_HYPERCALL = 35;
    private static final int KEY_GIVEN_UP = 36;
    private static final int BUGGED = 37;

    private final int[] words = new int[64];

    Stage stage() {
        return STAGES[Cells.acquire(words, STAGE)];
    }

    /** Release: whoever sees the stage sees all that led to it. */
    void moveTo(Stage next) {
        Stage now = stage();
        if (!now.mayBecome(next)) {
            throw new IllegalStateException("a VM that is " + now + " cannot become " + next);
        }
        Cells.release(words, STAGE, next.ordinal());
    }

    /** On the fault path, so without a Stage object. */
    boolean isRunnable() {
        return Cells.acquire(words, STAGE) == Stage.RUNNABLE.ordinal();
    }

    /** FINALIZE_VM is done: a fault that sees RUNNABLE sees all that was added before. */
    void finalised() {
        moveTo(Stage.RUNNABLE);
        // Only now, so that whoever may pre-fault also sees RUNNABLE and asks for AUG.
        Cells.release(words, PRE_FAULT_ALLOWED, 1);
    }

    boolean isPreFaultAllowed() {
        return Cells.acquire(words, PRE_FAULT_ALLOWED) != 0;
    }

    boolean isDead() {
        return Cells.acquire(words, DEAD) != 0;
    }

    /**
     * kvm_vm_dead: from now on every step but TERMINATE_VM answers EIO, and no vCPU enters the
     * guest.
     */
    void die() {
        Cells.release(words, DEAD, 1);
    }

    /** KVM_BUG_ON: dead, and nobody may touch what it holds. */
    void bug() {
        Cells.release(words, BUGGED, 1);
        die();
    }

    boolean isBugged() {
        return Cells.acquire(words, BUGGED) != 0;
    }

    /** "Wait for S-EPT zap": vCPUs do not enter the guest while this holds. */
    void holdEntries(boolean hold) {
        Cells.volatileWrite(words, HOLD, hold ? 1 : 0);
    }

    boolean areEntriesHeld() {
        return Cells.volatileRead(words, HOLD) != 0;
    }

    /** Whether conversions that the guest asks for go to user space. */
    void exitOnMapGpa(boolean enabled) {
        Cells.release(words, NO_EXIT_HYPERCALL, enabled ? 0 : 1);
    }

    boolean exitsOnMapGpa() {
        return Cells.acquire(words, NO_EXIT_HYPERCALL) == 0;
    }

    /**
     * From here on the module shows nothing of the TD any more, whether it frees the KeyID or not.
     */
    void givesKeyUp() {
        Cells.release(words, KEY_GIVEN_UP, 1);
    }

    boolean isKeyGivenUp() {
        return Cells.acquire(words, KEY_GIVEN_UP) != 0;
    }
}
