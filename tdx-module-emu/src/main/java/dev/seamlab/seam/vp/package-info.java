// SPDX-License-Identifier: Apache-2.0
/** TDH.VP.*: creation, association and entry of vCPUs (facts: module ABI section 1.5). */
@NullMarked
package dev.seamlab.seam.vp;

import org.jspecify.annotations.NullMarked;
