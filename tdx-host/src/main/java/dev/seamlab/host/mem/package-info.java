// SPDX-License-Identifier: Apache-2.0
/**
 * The host's page allocator: which page of which node is used for what. Locks: PAGE_ALLOCATOR, one
 * per node.
 */
@NullMarked
package dev.seamlab.host.mem;

import org.jspecify.annotations.NullMarked;
