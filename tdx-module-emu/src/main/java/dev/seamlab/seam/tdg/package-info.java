// SPDX-License-Identifier: Apache-2.0
/**
 * The guest-side leaves (TDCALL, TDG.*), one class per leaf or tight family, and the table that
 * finds them (facts: module ABI sections 2.1 to 2.3). They take guest-side locks only: these fail
 * while a host call waits, and are given back before the leaf ends.
 */
@NullMarked
package dev.seamlab.seam.tdg;

import org.jspecify.annotations.NullMarked;
