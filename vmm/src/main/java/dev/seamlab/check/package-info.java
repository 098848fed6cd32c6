// SPDX-License-Identifier: Apache-2.0
/**
 * The schedule explorer: runs production classes of module, host and KVM one step at a time, in
 * every order that matters, and says what goes wrong in which. Plain Java; uses the rooms below
 * {@code control}, and the scheduling seam to move their threads.
 *
 * <p>Needs a JVM with the stepped wiring; {@link dev.seamlab.check.CheckJvm} starts one.
 */
@NullMarked
package dev.seamlab.check;

import org.jspecify.annotations.NullMarked;
