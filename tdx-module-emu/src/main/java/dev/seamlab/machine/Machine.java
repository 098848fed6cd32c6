// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine;

import dev.seamlab.machine.profile.MachineProfile;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * One emulated machine: the hardware that a {@link MachineProfile} describes, with SEAM firmware
 * loaded or not.
 */
public final class Machine {
    /**
     * What Linux makes of a SEAMCALL that fails with CF=1 because no module is loaded
     * (VMfailInvalid; facts: module ABI section 1.1).
     */
    public static final long SEAMCALL_VMFAILINVALID = 0x8000_FF00_FFFF_0000L;

    private final MachineProfile profile;
    private final PhysicalMemory memory = new PhysicalMemory();
    private final List<LogicalCpu> cpus;
    private final SparsePages<GuestBinding> guests = new SparsePages<>();
    // Guarded by this: the firmware, and what stands in front of it, innermost first.
    private @Nullable Seam firmware;
    private @Nullable UnaryOperator<Seam> interceptor;
    private @Nullable UnaryOperator<Seam> observer;
    // What the SEAMCALL instruction reaches: the outermost of the three.
    private volatile @Nullable Seam seam;

    public Machine(MachineProfile profile) {
        this.profile = profile;
        List<LogicalCpu> list = new ArrayList<>();
        for (int p = 0; p < profile.packages(); p++) {
            for (int i = 0; i < profile.cpusPerPackage(); i++) {
                list.add(new LogicalCpu(list.size(), p));
            }
        }
        this.cpus = List.copyOf(list);
    }

    /** What this machine was built from. */
    public MachineProfile profile() {
        return profile;
    }

    /** Contents of physical memory. */
    public PhysicalMemory memory() {
        return memory;
    }

    /** All logical CPUs, by index. */
    public List<LogicalCpu> cpus() {
        return cpus;
    }

    /** Loads SEAM firmware, as the BIOS and the P-SEAMLDR do before the kernel starts. */
    public synchronized void load(Seam loaded) {
        firmware = loaded;
        assemble();
    }

    /**
     * Puts an observer between the SEAMCALL instruction and the firmware that is loaded; null takes
     * it away, and then it costs nothing. Calls that are under way finish as they began. One owner
     * at a time: whoever shares a machine agrees on who that is.
     *
     * @param around makes the observer from the firmware that it has to call
     */
    public synchronized void observe(@Nullable UnaryOperator<Seam> around) {
        observer = around;
        assemble();
    }

    /**
     * Puts an interceptor right in front of the firmware, which may answer in its place: the way to
     * have calls refused on purpose. Observers see its answers like those of the firmware. Null
     * takes it away, and then it costs nothing. One owner at a time, as for {@link #observe}.
     *
     * @param around makes the interceptor from the firmware behind it
     */
    public synchronized void intercept(@Nullable UnaryOperator<Seam> around) {
        interceptor = around;
        assemble();
    }

    private void assemble() {
        Seam reached = firmware;
        if (reached != null && interceptor != null) {
            reached = interceptor.apply(reached);
        }
        if (reached != null && observer != null) {
            reached = observer.apply(reached);
        }
        seam = reached;
    }

    /**
     * Executes SEAMCALL.
     *
     * @return the completion status (RAX), or {@link #SEAMCALL_VMFAILINVALID} where no module is
     *     loaded
     */
    public long seamcall(LogicalCpu cpu, Registers regs) {
        Seam loaded = seam;
        if (loaded == null) {
            return SEAMCALL_VMFAILINVALID;
        }
        return loaded.call(cpu, regs);
    }

    /**
     * Says what the vCPU whose control structure starts at a page executes. On real hardware that
     * is the contents of guest memory; the model keeps it beside the page. Null unbinds.
     */
    public synchronized void bindGuest(@Hpa long tdvpr, @Nullable GuestContext guest) {
        GuestBinding standing = guests.get(Addresses.pfn(tdvpr));
        if (standing != null) {
            standing.context(guest);
        }
        if (guest == null) {
            guests.put(Addresses.pfn(tdvpr), null);
        } else if (standing == null) {
            guests.put(Addresses.pfn(tdvpr), new GuestBinding(guest));
        }
    }

    /** What the vCPU with this TDVPR page executes, or null where nobody bound anything. */
    public @Nullable GuestBinding guestAt(@Hpa long tdvpr) {
        return guests.get(Addresses.pfn(tdvpr));
    }
}
