// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

/**
 * The memory story of a host.
 *
 * @param totalBytes RAM of all nodes
 * @param freeBytes what the page allocator could still hand out
 * @param staticPamtBytes PAMT reserved at start, with the page bitmap where PAMT is dynamic
 * @param staticEquivalentBytes what static PAMT would have cost on this host
 * @param refcountBytes the kernel's counters per 2 MiB range
 * @param pamt dynamic PAMT in use by cause; 8 KiB per backed range
 * @param backedRanges 2 MiB ranges that have a page pair
 * @param guestKeyIds KeyIDs for guests
 * @param guestKeyIdsInUse how many of them are taken, leaked ones included
 */
public record HostMemory(
        long totalBytes,
        long freeBytes,
        long staticPamtBytes,
        long staticEquivalentBytes,
        long refcountBytes,
        PamtShare pamt,
        long backedRanges,
        int guestKeyIds,
        int guestKeyIdsInUse) {}
