// SPDX-License-Identifier: Apache-2.0
/**
 * TDH.PHYMEM.*: physical pages, Dynamic PAMT page pairs and caches (facts: module ABI sections 1.6
 * and 5).
 */
@NullMarked
package dev.seamlab.seam.phymem;

import org.jspecify.annotations.NullMarked;
