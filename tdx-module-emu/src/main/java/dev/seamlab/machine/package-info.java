// SPDX-License-Identifier: Apache-2.0
/**
 * The emulated machine: physical memory, logical CPUs, packages, KeyIDs and what a guest executes.
 *
 * <p>Lowest room of the house: it uses only {@link dev.seamlab.machine.sched}. Everything that
 * differs from host to host comes from a {@link dev.seamlab.machine.profile.MachineProfile}.
 */
@NullMarked
package dev.seamlab.machine;

import org.jspecify.annotations.NullMarked;
