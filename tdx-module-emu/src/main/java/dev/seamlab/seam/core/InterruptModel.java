// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.core;

import dev.seamlab.machine.LogicalCpu;
import dev.seamlab.seam.abi.Leaf;

/**
 * What can stop a long leaf between two of its steps (facts: module ABI sections 5.5 and 7.4).
 * Chosen when the module is built.
 *
 * <pre>
 *   leaf                        where it looks            what it answers
 *   TDH.PHYMEM.CACHE.WB         between cache sub-blocks  INTERRUPTED_RESUMABLE, go on with RCX=1
 *   TDH.MEM.PAGE.DEMOTE         before the commit         INTERRUPTED_RESTARTABLE or _BUSY
 *   TDH.MEM.PAGE.PROMOTE        before the commit         INTERRUPTED_RESTARTABLE or _BUSY
 * </pre>
 *
 * <p>TDH.SYS.TDMR.INIT does a bounded step per call instead and needs no model. Instructions of the
 * guest that take long, such as TDG.MEM.PAGE.ACCEPT of 2M, always heed the CPU's interrupts.
 */
public interface InterruptModel {
    /** Nothing ever stops a leaf. */
    InterruptModel NEVER =
            new InterruptModel() {
                @Override
                public boolean isPending(LogicalCpu cpu, Leaf leaf) {
                    return false;
                }

                @Override
                public boolean yieldsToHostPriority() {
                    return false;
                }
            };

    /** As on hardware: the interrupts that are pending at the CPU, and other hosts' priority. */
    InterruptModel HARDWARE =
            new InterruptModel() {
                @Override
                public boolean isPending(LogicalCpu cpu, Leaf leaf) {
                    return cpu.interruptPending();
                }

                @Override
                public boolean yieldsToHostPriority() {
                    return true;
                }
            };

    /** Whether the leaf that runs on a CPU sees a pending host interrupt now. */
    boolean isPending(LogicalCpu cpu, Leaf leaf);

    /** Whether a leaf that holds the S-EPT tree lock gives way to a host call that waits for it. */
    boolean yieldsToHostPriority();
}
