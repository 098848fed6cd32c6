// SPDX-License-Identifier: Apache-2.0
/**
 * The host's page allocator: which page of which node is used for what. Uses the CPUs, whose
 * claimants own the CPUs' page lists. Locks: PAGE_ALLOCATOR, one per zone.
 */
@NullMarked
package dev.seamlab.host.mem;

import org.jspecify.annotations.NullMarked;
