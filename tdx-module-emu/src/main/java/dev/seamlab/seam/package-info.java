// SPDX-License-Identifier: Apache-2.0
/**
 * The emulated TDX module: firmware behind {@link dev.seamlab.machine.Machine#seamcall}. Registers
 * and physical memory are its only interface; {@link dev.seamlab.seam.ModuleView} is for auditors.
 */
@NullMarked
package dev.seamlab.seam;

import org.jspecify.annotations.NullMarked;
