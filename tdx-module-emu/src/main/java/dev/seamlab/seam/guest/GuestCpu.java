// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

import static dev.seamlab.seam.abi.StatusCode.NON_RECOVERABLE_TD;
import static dev.seamlab.seam.abi.StatusCode.NON_RECOVERABLE_TD_NON_ACCESSIBLE;
import static dev.seamlab.seam.abi.StatusCode.NON_RECOVERABLE_VCPU;
import static dev.seamlab.seam.abi.StatusCode.SUCCESS;

import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.GuestBinding;
import dev.seamlab.machine.GuestCode;
import dev.seamlab.machine.GuestContext;
import dev.seamlab.machine.GuestMode;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.machine.PhysicalMemory;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.core.Call;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.sept.SeptCursor;
import dev.seamlab.seam.sept.SeptEntry;
import dev.seamlab.seam.td.TdConfig;
import dev.seamlab.seam.td.TdControls;
import dev.seamlab.seam.td.Tdcs;
import dev.seamlab.seam.td.Tdr;
import dev.seamlab.seam.td.Tdvps;
import dev.seamlab.seam.td.VcpuContext;
import org.jspecify.annotations.Nullable;

/**
 * One logical CPU in guest mode. One per CPU, used again for every entry; neither an entry nor an
 * instruction allocates.
 *
 * <p>The model has no TLB: every access walks the Secure EPT as it stands, so a blocked page is out
 * of reach at once. What TLB tracking protects on hardware it protects here as well, because a page
 * that a guest instruction has found is not removed before the vCPU has left its epoch.
 *
 * <p>There is no instruction pointer either; a guest restarts an instruction by executing it again.
 * The zero-step mitigation, which counts EPT violations at one instruction pointer, takes for the
 * same instruction a memory access that left guest mode and is executed again, same address and
 * same kind, with nothing executed in between. Whatever completes, raises an exception or is
 * another access has moved the instruction pointer, and so has an exit that guest code reports by
 * itself. A guest whose instructions touch several pages names them, see {@link
 * #instructionPointer}.
 */
public final class GuestCpu implements GuestMode {
    /**
     * Answer of a leaf whose TDCALL did not complete: it exited or raised an exception. No status
     * word looks so, for class 0xFF belongs to software.
     */
    public static final long NOT_COMPLETED = -1;

    /** Answer of {@link #operand} for an address that is not valid in this TD. */
    public static final long BAD_ADDRESS = -2;

    /** Vector 0xF0, as the hardware reports an external interrupt that it acknowledged. */
    private static final long EXTERNAL_INTERRUPT = 0x8000_00F0L;

    /** Interruption type NMI, bits 10:8, and vector of a machine check, bits 7:0. */
    private static final int TYPE_NMI = 2;

    private static final int MACHINE_CHECK = 18;

    /** Exit qualification of an SMI: it signals a machine check. */
    private static final long MACHINE_CHECK_SMI = 1;

    /** Exit qualification of a notification: the guest's state is not valid. */
    private static final long CONTEXT_INVALID = 1;

    /**
     * Exit qualification of an EPT violation: the linear address is valid, and the access was to
     * its translation.
     */
    private static final long LINEAR_ADDRESS = 0x180;

    private static final long LINEAR_ADDRESS_VALID = 0x80;

    /** The same: bits 12:7, which the host does not get to see. */
    private static final long HIDDEN_BITS = 0x1F80;

    /**
     * Bytes of an instruction, as #VE information reports them. The model's guests have no machine
     * code; four is the length of TDCALL.
     */
    private static final long INSTRUCTION_LENGTH = 4;

    private final ModuleState state;
    private final PhysicalMemory memory;
    private final LogicalCpu cpu;
    private final Call call;
    private final TdcallDispatcher tdcalls;
    private final GuestPages pages = new GuestPages();

    // The vCPU that ran here last, and its guest. Neither keeps a TD's memory alive that is gone.
    private @Nullable Tdvps known;
    private @Nullable GuestBinding knownGuest;

    // The run in progress; false outside of run().
    private boolean running;
    private boolean inside;

    // Whether the guest's next instruction executes: inside, and no exception waits to be
    // delivered.
    private boolean executes;

    // Whether the guest has got on since the entry; and where it stood then, if it says so.
    private boolean progressed;
    private long entryInstruction;

    // How the last instruction ended that did not complete, and what was injected instead.
    private Outcome outcome = Outcome.DONE;
    private long injected = Injection.NONE;

    public GuestCpu(ModuleState state, LogicalCpu cpu, Tdcalls leaves) {
        this.state = state;
        this.memory = state.memory();
        this.cpu = cpu;
        this.call = state.call(cpu.index());
        this.tdcalls = new TdcallDispatcher(leaves);
    }

    /**
     * Enters guest mode and stays until an event leads out of it. The books of the entry are open
     * and are closed here, and the host's registers hold what VP.ENTER returns.
     *
     * <p>A vCPU to which no guest is bound has nothing to execute: it leaves at once, as if an
     * external interrupt had come.
     *
     * @param deliverException whether a virtualization exception, whose information the vCPU has,
     *     comes before the first instruction
     */
    public void run(boolean deliverException) {
        Tdvps vcpu = call.tdvps();
        GuestContext guest = guestOf(vcpu);
        running = true;
        inside = true;
        executes = !deliverException;
        progressed = false;
        entryInstruction = vcpu.context().instruction();
        injected = Injection.NONE;
        try {
            if (guest == null) {
                interrupted();
            } else {
                pages.enter(call.tdcs(), guest.sharedEpt());
                execute(guest.code());
            }
        } finally {
            if (inside) {
                // The guest program is broken; its vCPU leaves so that the TD can be torn down.
                interrupted();
            }
            executes = false;
            pages.leave();
            running = false;
        }
    }

    /**
     * At an entry: gives the guest what the host answered to its last exit.
     *
     * @param hint HOST_RECOVERABILITY_HINT of VP.ENTER
     */
    public static void complete(Tdvps vcpu, Registers host, boolean hint) {
        switch (vcpu.context().lastExit()) {
            case TDVMCALL -> TdExit.answerVmcall(vcpu.gprs(), host);
            case ASYNC_TRAP -> TdExit.answerTrap(vcpu.gprs(), hint);
            case ASYNC_FAULT -> {}
        }
    }

    private void execute(GuestCode code) {
        while (inside) {
            if (cpu.interruptPending()) {
                interrupted();
            } else {
                code.step(this);
            }
        }
    }

    // What guest code may do.

    @Override
    public Registers gprs() {
        return vcpu().gprs();
    }

    @Override
    public Outcome touch(@Gpa long gpa, Access access) {
        return locate(gpa, access) == NOT_COMPLETED ? outcome : Outcome.DONE;
    }

    @Override
    public Outcome read(@Gpa long gpa, byte[] into, int at, int length) {
        assert GuestPages.staysInPage(gpa, length);
        long hpa = locate(gpa, Access.READ);
        if (hpa == NOT_COMPLETED) {
            return outcome;
        }
        memory.read(hpa, into, at, length);
        return Outcome.DONE;
    }

    @Override
    public Outcome write(@Gpa long gpa, byte[] from, int at, int length) {
        assert GuestPages.staysInPage(gpa, length);
        long hpa = locate(gpa, Access.WRITE);
        if (hpa == NOT_COMPLETED) {
            return outcome;
        }
        memory.write(hpa, from, at, length);
        return Outcome.DONE;
    }

    @Override
    public Outcome tdcall() {
        return executes ? handleExit(ExitReason.TDCALL, 0, 0, 0) : withheld();
    }

    @Override
    public Outcome vmExit(int reason, long qualification, @Gpa long gpa, long interruptionInfo) {
        if (!executes) {
            return withheld();
        }
        progressed = true;
        return handleExit(reason, qualification, gpa, interruptionInfo);
    }

    @Override
    public void instructionPointer(long pointer) {
        context().instruction(pointer);
    }

    /** An instruction that does not execute: its vCPU has left, or an exception comes first. */
    private Outcome withheld() {
        if (!inside) {
            outcome = Outcome.EXITED;
        } else {
            executes = true;
            inject(Injection.VIRTUALIZATION_EXCEPTION, Outcome.VIRTUALIZATION_EXCEPTION);
        }
        return outcome;
    }

    /** A VM exit: what the module makes of it. */
    private Outcome handleExit(
            int reason, long qualification, @Gpa long gpa, long interruptionInfo) {
        injected = Injection.NONE;
        context().recordExit(reason, qualification, gpa);
        if (tdr().isFatal()) {
            // Another vCPU ended the TD: out, without touching it.
            exit(NON_RECOVERABLE_TD_NON_ACCESSIBLE, reason, qualification, 0, 0, interruptionInfo);
            return outcome;
        }
        if (hasProgressed()) {
            context().eptFaults().reset();
        }
        switch (VmExitRules.of(reason)) {
            case PARAVIRTUAL -> raiseVe(reason, VeCategory.PARAVIRTUAL, qualification, 0);
            case CONFIGURED_PARAVIRTUAL ->
                    raiseVe(reason, VeCategory.CONFIGURED_PARAVIRTUAL, qualification, 0);
            case MSR_ACCESS -> raiseVe(reason, VeCategory.CONFIGURED_PARAVIRTUAL, 0, 0);
            case INVALID_OPCODE -> inject(Injection.INVALID_OPCODE, Outcome.EXCEPTION);
            case GENERAL_PROTECTION ->
                    inject(Injection.GENERAL_PROTECTION, Outcome.GENERAL_PROTECTION);
            case EXIT -> exit(SUCCESS, reason, qualification, 0, 0, 0);
            case EXIT_WITH_EVENT -> exit(SUCCESS, reason, qualification, 0, 0, interruptionInfo);
            case SMI -> smi(reason, qualification, interruptionInfo);
            case NOTIFICATION -> {
                boolean lost = (qualification & CONTEXT_INVALID) != 0;
                exit(lost ? NON_RECOVERABLE_TD : SUCCESS, reason, qualification, 0, 0, 0);
            }
            case TRIPLE_FAULT -> exit(NON_RECOVERABLE_VCPU, reason, qualification, 0, 0, 0);
            case EXCEPTION_OR_NMI -> exception(reason, qualification, interruptionInfo);
            case EPT_VIOLATION -> eptViolation(qualification, gpa, true);
            case EPT_MISCONFIGURATION -> {
                if (pages.isShared(gpa)) {
                    exit(SUCCESS, reason, 0, 0, GuestPages.pageOf(gpa), 0);
                } else {
                    unexpected(reason, qualification);
                }
            }
            case TDCALL -> {
                outcome = tdcalls.execute(this);
                progressed |= outcome == Outcome.DONE;
            }
            case NMI_WINDOW -> outcome = deliverNmi();
            case UNEXPECTED -> unexpected(reason, qualification);
        }
        return outcome;
    }

    /**
     * VM-entry interruption information of the exception that the last instruction ended with, or 0
     * if none was injected.
     */
    public long injected() {
        return injected;
    }

    // What guest-side leaves work with.

    /** The vCPU. */
    public Tdvps vcpu() {
        return running().tdvps();
    }

    /** State of the vCPU beside its registers. */
    public VcpuContext context() {
        return vcpu().context();
    }

    /** The TD. */
    public Tdr tdr() {
        return running().tdr();
    }

    /** The TD's control structure. */
    public Tdcs tdcs() {
        return running().tdcs();
    }

    /** What MNG.INIT fixed. */
    public TdConfig config() {
        return tdcs().config();
    }

    /** The module's global data. */
    public ModuleState state() {
        return state;
    }

    /** Contents of memory. */
    public PhysicalMemory memory() {
        return memory;
    }

    /** Place in the Secure EPT; the guest side's own. */
    public SeptCursor sept() {
        return pages.sept();
    }

    /** Scratch for one page of contents. */
    public byte[] buffer() {
        return running().buffer();
    }

    /** Whether an interrupt for the host waits; long leaves stop for it. */
    public boolean interruptPending() {
        return cpu.interruptPending();
    }

    /**
     * Finds the memory behind an operand of a leaf. Nothing it finds needs a lock: TLB tracking
     * keeps the page in place until the vCPU leaves.
     *
     * @param privateOnly whether a shared address is an error
     * @return an HPA, {@link #BAD_ADDRESS}, or {@link #NOT_COMPLETED} when the access left guest
     *     mode or raised an exception
     */
    public @Hpa long operand(@Gpa long gpa, Access access, boolean privateOnly) {
        if (pages.isReserved(gpa) || (privateOnly && pages.isShared(gpa))) {
            return BAD_ADDRESS;
        }
        long hpa = pages.find(gpa, access);
        if (hpa == GuestPages.NOT_FOUND) {
            eptViolation(pages.attempt(gpa, access), gpa, false);
            return NOT_COMPLETED;
        }
        return hpa;
    }

    /** TDG.VP.VMCALL leaves guest mode. */
    public long exitForVmcall(long selected) {
        TdExit.vmcall(running(), selected);
        left();
        return NOT_COMPLETED;
    }

    /** An interrupt came while a leaf was at work; the guest executes it again. */
    public long exitForInterrupt() {
        interrupted();
        return NOT_COMPLETED;
    }

    /** A leaf gave up waiting for the host. */
    long exitWithStatus(StatusCode how) {
        exit(how, 0, 0, 0, 0, 0);
        return NOT_COMPLETED;
    }

    /** A leaf met a page that it cannot read the state of: EPT violation without details. */
    public long exitWithoutDetails(@Gpa long gpa) {
        exit(SUCCESS, ExitReason.EPT_VIOLATION, 0, 0, GuestPages.pageOf(gpa), 0);
        return NOT_COMPLETED;
    }

    /**
     * A leaf that writes met an entry it cannot work on: EPT violation with the entry where the
     * walk stopped, as {@link #sept} has it.
     *
     * @param type extended exit qualification type
     * @param requested level that the guest asked for
     */
    public long exitAtEntry(@Gpa long gpa, int type, int requested) {
        SeptCursor sept = pages.sept();
        long entry = sept.entry();
        long info =
                requested
                        | (long) sept.level() << 3
                        | (long) SeptEntry.state(entry).publicNumber() << 6
                        | (SeptEntry.isLeaf(entry) ? 1L << 14 : 0);
        long qualification = ExitReason.QUALIFICATION_WRITE | GuestPages.rightsOf(entry);
        exit(
                SUCCESS,
                ExitReason.EPT_VIOLATION,
                qualification,
                type | info << 32,
                GuestPages.pageOf(gpa),
                0);
        return NOT_COMPLETED;
    }

    /** How an instruction ended that did not complete. */
    Outcome outcome() {
        return outcome;
    }

    // Memory.

    /** Finds the memory behind an access of guest code, or ends the instruction. */
    private @Hpa long locate(@Gpa long gpa, Access access) {
        if (!executes) {
            withheld();
            return NOT_COMPLETED;
        }
        injected = Injection.NONE;
        if (!pages.isReserved(gpa)) {
            long hpa = pages.find(gpa, access);
            if (hpa != GuestPages.NOT_FOUND) {
                progressed = true;
                return hpa;
            }
        }
        VcpuContext context = context();
        if (!context.isFaultingAccess(gpa, access.ordinal())) {
            context.faultingAccess(gpa, access.ordinal());
            progressed = true;
        }
        long qualification = pages.attempt(gpa, access) | LINEAR_ADDRESS;
        handleExit(ExitReason.EPT_VIOLATION, qualification, gpa, 0);
        return NOT_COMPLETED;
    }

    /** Whether the guest is at another instruction than when it entered. */
    private boolean hasProgressed() {
        VcpuContext context = context();
        return context.namesInstructions() ? context.instruction() != entryInstruction : progressed;
    }

    /**
     * An access found no translation. A pending private page is the guest's business unless the TD
     * chose otherwise; everything else is the host's. An address wider than the TD's is neither: on
     * hardware the paging structures that hold it have a reserved bit set.
     *
     * @param byCpu whether the CPU itself accessed memory, rather than the module for a leaf
     */
    private void eptViolation(long qualification, @Gpa long gpa, boolean byCpu) {
        if (pages.isReserved(gpa) && (qualification & LINEAR_ADDRESS_VALID) != 0) {
            if ((config().configFlags() & TdConfig.FLAG_MAXGPA_VIRT) != 0) {
                VeCategory category = VeCategory.RESERVED_GPA_BITS;
                raiseVe(ExitReason.EPT_VIOLATION, category, qualification, gpa);
            } else {
                inject(Injection.PAGE_FAULT, Outcome.EXCEPTION);
            }
            return;
        }
        long extended = ExitReason.EXTENDED_NONE;
        if (!pages.isShared(gpa)) {
            if (pages.isPending(gpa)) {
                if ((tdcs().controls().tdCtls() & TdControls.PENDING_VE_DISABLE) == 0) {
                    raiseVe(ExitReason.EPT_VIOLATION, VeCategory.PENDING, qualification, gpa);
                    return;
                }
                extended = ExitReason.EXTENDED_PENDING_EPT_VIOLATION;
            }
            if (byCpu) {
                context().eptFaults().record(gpa);
            }
        }
        exit(
                SUCCESS,
                ExitReason.EPT_VIOLATION,
                qualification & ~HIDDEN_BITS,
                extended,
                GuestPages.pageOf(gpa),
                0);
    }

    // Events.

    private void exception(int reason, long qualification, long info) {
        int type = (int) (info >>> 8) & 0x7;
        int vector = (int) info & 0xFF;
        if (type == TYPE_NMI) {
            exit(SUCCESS, reason, qualification, 0, 0, info);
        } else if (vector == MACHINE_CHECK) {
            exit(NON_RECOVERABLE_TD_NON_ACCESSIBLE, reason, qualification, 0, 0, info);
        } else if (config().isDebug()) {
            exit(SUCCESS, reason, qualification, 0, 0, info);
        } else {
            unexpected(reason, qualification);
        }
    }

    /** A system management interrupt; one for a machine check (MSMI) ends the TD. */
    private void smi(int reason, long qualification, long info) {
        boolean machineCheck = (qualification & MACHINE_CHECK_SMI) != 0;
        exit(
                machineCheck ? NON_RECOVERABLE_TD_NON_ACCESSIBLE : SUCCESS,
                reason,
                qualification,
                0,
                0,
                info);
    }

    /**
     * Where a real module would stop the whole platform (an EPT misconfiguration of a private page,
     * an exception that is not intercepted), the model ends the TD as well: a guess, for nothing in
     * the model leads there by itself.
     */
    private void unexpected(int reason, long qualification) {
        exit(config().isDebug() ? SUCCESS : NON_RECOVERABLE_TD, reason, qualification, 0, 0, 0);
    }

    /** A second #VE before the guest took the information of the first is a double fault. */
    private void raiseVe(int reason, VeCategory category, long qualification, @Gpa long gpa) {
        VcpuContext context = context();
        if (context.veValid()) {
            inject(Injection.DOUBLE_FAULT, Outcome.EXCEPTION);
            return;
        }
        context.raiseVe(reason, category.code(), qualification, 0, gpa, INSTRUCTION_LENGTH);
        inject(Injection.VIRTUALIZATION_EXCEPTION, Outcome.VIRTUALIZATION_EXCEPTION);
    }

    private void inject(long event, Outcome how) {
        progressed = true;
        injected = event;
        outcome = how;
    }

    /** The guest can take the NMI that the host asked for, unless a #VE is to be handled first. */
    private Outcome deliverNmi() {
        VcpuContext context = context();
        if (context.pendNmi() == 0 || context.veValid()) {
            return Outcome.DONE;
        }
        context.pendNmi(0);
        inject(Injection.NMI, Outcome.EXCEPTION);
        return outcome;
    }

    private void interrupted() {
        if (tdr().isFatal()) {
            exit(
                    NON_RECOVERABLE_TD_NON_ACCESSIBLE,
                    ExitReason.EXTERNAL_INTERRUPT,
                    0,
                    0,
                    0,
                    EXTERNAL_INTERRUPT);
        } else {
            exit(SUCCESS, ExitReason.EXTERNAL_INTERRUPT, 0, 0, 0, EXTERNAL_INTERRUPT);
        }
    }

    private void exit(
            StatusCode how,
            int reason,
            long qualification,
            long extended,
            long gpa,
            long interruptionInfo) {
        TdExit.asynchronous(running(), how, reason, qualification, extended, gpa, interruptionInfo);
        left();
    }

    private void left() {
        inside = false;
        executes = false;
        outcome = Outcome.EXITED;
    }

    private Call running() {
        if (!running) {
            throw new IllegalStateException("no vCPU runs on " + cpu);
        }
        return call;
    }

    private @Nullable GuestContext guestOf(Tdvps vcpu) {
        GuestContext guest = known == vcpu && knownGuest != null ? knownGuest.context() : null;
        return guest != null ? guest : lookUp(vcpu);
    }

    private @Nullable GuestContext lookUp(Tdvps vcpu) {
        known = vcpu;
        knownGuest = state.machine().guestAt(vcpu.hpa());
        return knownGuest == null ? null : knownGuest.context();
    }
}
