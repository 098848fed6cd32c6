// SPDX-License-Identifier: Apache-2.0
/**
 * What all leaves share: the module's global state, the frame of one call, operand checks, and the
 * ways to reach a TD and its pages. Depends on the data packages below it, never on a leaf.
 */
@NullMarked
package dev.seamlab.seam.core;

import org.jspecify.annotations.NullMarked;
