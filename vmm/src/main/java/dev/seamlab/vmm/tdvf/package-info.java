// SPDX-License-Identifier: Apache-2.0
/**
 * TDVF: the firmware image of a TD, its metadata, and the TD HOB that tells the firmware about
 * memory (facts: module ABI section 11). Uses the machine's address types only.
 */
@NullMarked
package dev.seamlab.vmm.tdvf;

import org.jspecify.annotations.NullMarked;
