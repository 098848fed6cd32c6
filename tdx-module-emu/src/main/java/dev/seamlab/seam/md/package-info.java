// SPDX-License-Identifier: Apache-2.0
/**
 * Metadata fields: identifiers, access rules and values of the global, TD and vCPU contexts (facts:
 * module ABI section 6).
 */
@NullMarked
package dev.seamlab.seam.md;

import org.jspecify.annotations.NullMarked;
