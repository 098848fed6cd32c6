// SPDX-License-Identifier: Apache-2.0
/** TDH.MEM.*: private memory of a TD and its Secure EPT (facts: module ABI sections 1.6 and 8). */
@NullMarked
package dev.seamlab.seam.mem;

import org.jspecify.annotations.NullMarked;
