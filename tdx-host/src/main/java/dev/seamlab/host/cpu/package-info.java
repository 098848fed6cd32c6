// SPDX-License-Identifier: Apache-2.0
/**
 * Which thread runs on which logical CPU, and the registers it issues SEAMCALLs with. Locks: CPU.
 */
@NullMarked
package dev.seamlab.host.cpu;

import org.jspecify.annotations.NullMarked;
