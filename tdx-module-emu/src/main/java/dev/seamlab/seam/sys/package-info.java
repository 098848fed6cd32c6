// SPDX-License-Identifier: Apache-2.0
/** TDH.SYS.*: bringing the module up (facts: module ABI sections 1.4 and 4.3). */
@NullMarked
package dev.seamlab.seam.sys;

import org.jspecify.annotations.NullMarked;
