// SPDX-License-Identifier: Apache-2.0
/**
 * TDH.MNG.*: creation, configuration and teardown of a TD (facts: module ABI sections 1.5, 7 and
 * 9).
 */
@NullMarked
package dev.seamlab.seam.mng;

import org.jspecify.annotations.NullMarked;
