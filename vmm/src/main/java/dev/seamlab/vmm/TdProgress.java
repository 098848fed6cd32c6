// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

/**
 * How far a TD's guest has come; every figure only grows while the TD lives.
 *
 * @param operations guest operations completed (pages of range operations count one each)
 * @param pagesAccepted 4K pages that the guest accepted
 * @param privateFaults EPT violations on private addresses that KVM served
 * @param sharedFaults EPT violations on shared addresses that KVM served
 * @param conversions 4K pages converted between private and shared
 * @param tdExits times a vCPU left the guest
 * @param finishedVcpus vCPUs whose program has come to its end
 */
public record TdProgress(
        long operations,
        long pagesAccepted,
        long privateFaults,
        long sharedFaults,
        long conversions,
        long tdExits,
        int finishedVcpus) {}
