// SPDX-License-Identifier: Apache-2.0
/**
 * The ABI of the TDX module, shared by the module and its host: leaf numbers, status words, operand
 * ids, metadata fields and the layouts of structures in memory. Definitions only, no behaviour.
 *
 * <p>Source of every number: facts, module ABI sheet. Uses {@link dev.seamlab.machine} for
 * addresses and memory.
 */
@NullMarked
package dev.seamlab.seam.abi;

import org.jspecify.annotations.NullMarked;
