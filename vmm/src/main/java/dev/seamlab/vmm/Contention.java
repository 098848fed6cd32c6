// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.kvm.KvmStats;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.machine.sched.WaitTimes;
import dev.seamlab.seam.abi.Operand;
import java.util.EnumMap;
import java.util.Map;

/**
 * Who had to wait, what had to be repeated, and what was prepared for nothing. Of one TD, or of a
 * host with all TDs it ever had.
 *
 * @param mmuRead waits of faults for mmu_lock
 * @param mmuWrite waits of zaps, splits and invalidations for mmu_lock
 * @param pamt waits for the PAMT lock, which the host has one of; none for a single TD
 * @param busyByOperand BUSY answers of the module by the operand that was busy
 * @param faultRetries fault attempts that were repeated in place
 * @param zapRetries SEAMCALLs of zaps, splits and merges repeated with no vCPU in the guest
 * @param entryRetries VP.ENTER that found something busy
 * @param poolHighWater most pages that waited in one vCPU's pool
 * @param readyHighWater most tables that waited with their backing for one vCPU
 * @param splitPoolHighWater most pages that waited for splits of 2M leaves in one VM
 * @param poolFallbacks times an empty pool was helped out by an atomic allocation
 * @param poolUnused pages that pools still held when their vCPU was freed
 * @param tablesPrepared tables that got their backing before they were needed
 * @param tablesUnused of those, put back unused
 * @param leavesUnused leaves that got their backing and were not mapped then
 */
public record Contention(
        WaitTimes.Snapshot mmuRead,
        WaitTimes.Snapshot mmuWrite,
        WaitTimes.Snapshot pamt,
        Map<Operand, Long> busyByOperand,
        long faultRetries,
        long zapRetries,
        long entryRetries,
        long poolHighWater,
        long readyHighWater,
        long splitPoolHighWater,
        long poolFallbacks,
        long poolUnused,
        long tablesPrepared,
        long tablesUnused,
        long leavesUnused) {
    /** No contention at all. */
    public static final Contention NONE =
            new Contention(
                    WaitTimes.NONE,
                    WaitTimes.NONE,
                    WaitTimes.NONE,
                    Map.of(),
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0);

    public Contention {
        busyByOperand = Map.copyOf(busyByOperand);
    }

    /** Of one VM so far, also after its end. */
    static Contention of(KvmTdx vm) {
        KvmStats stats = vm.stats();
        return new Contention(
                vm.books().mmuReadWaits(),
                vm.books().mmuWriteWaits(),
                WaitTimes.NONE,
                stats.busyByOperand(),
                stats.get(Counter.FAULT_RETRIES),
                stats.get(Counter.ZAP_BUSY),
                stats.get(Counter.ENTER_BUSY),
                stats.get(Counter.POOL_HIGH_WATER),
                stats.get(Counter.READY_HIGH_WATER),
                vm.books().splitPoolHighWater(),
                vm.books().poolFallbacks(),
                stats.get(Counter.POOL_UNUSED),
                stats.get(Counter.TABLES_PREPARED),
                stats.get(Counter.TABLES_UNUSED),
                stats.get(Counter.LEAVES_UNUSED));
    }

    /** Both taken together; high-water marks are those of the one that rose higher. */
    public Contention plus(Contention other) {
        Map<Operand, Long> busy = new EnumMap<>(Operand.class);
        busy.putAll(busyByOperand);
        other.busyByOperand.forEach((operand, count) -> busy.merge(operand, count, Long::sum));
        return new Contention(
                mmuRead.plus(other.mmuRead),
                mmuWrite.plus(other.mmuWrite),
                pamt.plus(other.pamt),
                busy,
                faultRetries + other.faultRetries,
                zapRetries + other.zapRetries,
                entryRetries + other.entryRetries,
                Math.max(poolHighWater, other.poolHighWater),
                Math.max(readyHighWater, other.readyHighWater),
                Math.max(splitPoolHighWater, other.splitPoolHighWater),
                poolFallbacks + other.poolFallbacks,
                poolUnused + other.poolUnused,
                tablesPrepared + other.tablesPrepared,
                tablesUnused + other.tablesUnused,
                leavesUnused + other.leavesUnused);
    }

    /** The same with the waits for the host's PAMT lock. */
    Contention withPamt(WaitTimes.Snapshot waits) {
        return new Contention(
                mmuRead,
                mmuWrite,
                waits,
                busyByOperand,
                faultRetries,
                zapRetries,
                entryRetries,
                poolHighWater,
                readyHighWater,
                splitPoolHighWater,
                poolFallbacks,
                poolUnused,
                tablesPrepared,
                tablesUnused,
                leavesUnused);
    }
}
