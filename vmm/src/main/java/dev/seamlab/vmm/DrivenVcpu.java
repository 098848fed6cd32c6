// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.guest.Workload;

/**
 * A vCPU in somebody's hand. One thread runs it; any thread may {@link #cancel}. Close it to give
 * it back.
 */
public interface DrivenVcpu extends AutoCloseable {
    /**
     * Enters the guest until user space has something to do, or the guest halts.
     *
     * @param serveConversions whether conversions are served here as for a running trust domain
     * @return {@link VcpuExit.Interrupted} also where the trust domain has been stopped meanwhile
     */
    VcpuExit run(boolean serveConversions);

    /**
     * Executes a piece of program instead of the vCPU's own, to its end where nothing stops it.
     * Conversions are served.
     */
    Executed execute(Workload piece);

    /** Makes {@link #run} and {@link #execute} return soon, now and ever after. */
    void cancel();

    /** The vCPU as it is now. */
    VcpuSnapshot snapshot();

    /** Gives the vCPU back. */
    @Override
    void close();

    /**
     * How a piece ended.
     *
     * @param exit {@link VcpuExit.Halted} where all of it was executed
     * @param operations guest operations of the piece that completed
     * @param privateFaults EPT violations on private addresses that KVM served meanwhile
     * @param sharedFaults those on shared addresses
     */
    record Executed(VcpuExit exit, long operations, long privateFaults, long sharedFaults) {}
}
