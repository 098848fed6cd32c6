// SPDX-License-Identifier: Apache-2.0
/** Replays recorded SEAMCALLs against the emulated module, register by register. */
@NullMarked
package dev.seamlab.seam.vectors;

import org.jspecify.annotations.NullMarked;
