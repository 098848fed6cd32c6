// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.guest.Workload;
import dev.seamlab.seam.abi.TdParams;
import dev.seamlab.vmm.tdvf.TdvfImage;

/**
 * What a trust domain is to be. Any values can stand here; {@link Vmm#validate} says which do not
 * fit a host.
 *
 * @param id name: lower-case letters, digits and hyphens, starting with a letter, at most 63
 * @param memoryBytes guest RAM, a multiple of 4 KiB
 * @param vcpus number of vCPUs
 * @param firmware the TDVF image that is measured and loaded
 * @param workload what the guest executes
 * @param attributes TD attributes (ATTRIBUTES of TD_PARAMS)
 * @param gpaWidth guest physical address bits, 48 (4-level EPT) or 52 (5-level)
 * @param largePages whether private memory may be mapped at 2M, which no merged kernel does yet
 */
public record TrustDomainSpec(
        String id,
        long memoryBytes,
        int vcpus,
        TdvfImage firmware,
        Workload workload,
        long attributes,
        int gpaWidth,
        boolean largePages) {
    /** What QEMU asks for: no #VE when the guest touches a page that it did not accept. */
    public static final long DEFAULT_ATTRIBUTES = TdParams.ATTRIBUTE_SEPT_VE_DISABLE;

    /** GPA width where nothing else is asked. */
    public static final int DEFAULT_GPA_WIDTH = 48;

    /** With 4K pages only. */
    public TrustDomainSpec(
            String id,
            long memoryBytes,
            int vcpus,
            TdvfImage firmware,
            Workload workload,
            long attributes,
            int gpaWidth) {
        this(id, memoryBytes, vcpus, firmware, workload, attributes, gpaWidth, false);
    }

    /** The same with private memory mapped at 2M where possible. */
    public TrustDomainSpec withLargePages() {
        return new TrustDomainSpec(
                id, memoryBytes, vcpus, firmware, workload, attributes, gpaWidth, true);
    }

    /** A TD with the embedded firmware, default attributes and GPA width. */
    public static TrustDomainSpec of(String id, long memoryBytes, int vcpus, Workload workload) {
        return new TrustDomainSpec(
                id,
                memoryBytes,
                vcpus,
                TdvfImage.embedded(),
                workload,
                DEFAULT_ATTRIBUTES,
                DEFAULT_GPA_WIDTH);
    }
}
