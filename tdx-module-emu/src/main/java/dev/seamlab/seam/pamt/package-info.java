// SPDX-License-Identifier: Apache-2.0
/**
 * Physical address metadata: type, owner, lock and blocking epoch of every page, kept sparsely per
 * GiB block, static or dynamic (facts: module ABI sections 4.4, 4.5 and 5). Uses only the locks and
 * the ABI.
 */
@NullMarked
package dev.seamlab.seam.pamt;

import org.jspecify.annotations.NullMarked;
