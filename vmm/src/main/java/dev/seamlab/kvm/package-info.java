// SPDX-License-Identifier: Apache-2.0
/**
 * The KVM layer: memslots with guest_memfd, private and shared attributes, the mirror EPT, fault
 * path, zap and teardown, and the vCPU run loop (facts: Linux sheet section 4).
 *
 * <p>Uses {@code dev.seamlab.host} and below; reaches the module only through its leaves. Results
 * are errno numbers as the kernel's. Locks, outermost first: KVM, VCPU, SLOTS, (TDX of the host),
 * CPU, MMU.
 */
@NullMarked
package dev.seamlab.kvm;

import org.jspecify.annotations.NullMarked;
