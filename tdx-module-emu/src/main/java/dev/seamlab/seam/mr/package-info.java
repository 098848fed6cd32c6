// SPDX-License-Identifier: Apache-2.0
/** TDH.MR.*: the measurement of a TD's initial contents (facts: module ABI section 10.1). */
@NullMarked
package dev.seamlab.seam.mr;

import org.jspecify.annotations.NullMarked;
