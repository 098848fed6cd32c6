// SPDX-License-Identifier: Apache-2.0
/**
 * What people ask about the ABI: what a status word means, what usually causes it and what to do
 * next; what a leaf is for. The knowledge is data in two tables beside these classes.
 *
 * <p>Plain Java on the ABI's numbers alone, so that the command can explain a status without a
 * server.
 */
@NullMarked
package dev.seamlab.explain;

import org.jspecify.annotations.NullMarked;
