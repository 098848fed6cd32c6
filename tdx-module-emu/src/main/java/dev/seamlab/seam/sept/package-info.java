// SPDX-License-Identifier: Apache-2.0
/**
 * The Secure EPT: entries, table pages, the walk, and which leaf accepts which entry state (facts:
 * module ABI section 8). Used by host-side and guest-side leaves alike.
 */
@NullMarked
package dev.seamlab.seam.sept;

import org.jspecify.annotations.NullMarked;
