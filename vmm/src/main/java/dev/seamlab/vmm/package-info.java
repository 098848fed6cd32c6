// SPDX-License-Identifier: Apache-2.0
/**
 * The user-space VMM's part, as QEMU plays it on a real host: lays out guest memory, reads the TDVF
 * image, writes the TD HOB, drives the KVM_TDX_* steps, serves exits and keeps the life cycle of
 * trust domains.
 *
 * <p>Uses {@code dev.seamlab.kvm} and below, and {@code dev.seamlab.guest} for what vCPUs execute.
 * Plain Java: the services above translate and delegate. Outermost lock of the house: {@code
 * TRUST_DOMAIN}, one per TD.
 */
@NullMarked
package dev.seamlab.vmm;

import org.jspecify.annotations.NullMarked;
