// SPDX-License-Identifier: Apache-2.0
/**
 * Benchmarks' seat inside the KVM layer: what has to be measured and is, rightly, not public.
 * Shares the package of the layer and changes nothing in it.
 */
@NullMarked
package dev.seamlab.kvm;

import org.jspecify.annotations.NullMarked;
