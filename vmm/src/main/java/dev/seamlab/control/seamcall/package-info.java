// SPDX-License-Identifier: Apache-2.0
/** The TDX module register by register, on the host of this process or in sandboxes. */
@NullMarked
package dev.seamlab.control.seamcall;

import org.jspecify.annotations.NullMarked;
