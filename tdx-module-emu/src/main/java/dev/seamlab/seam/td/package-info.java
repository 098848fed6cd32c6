// SPDX-License-Identifier: Apache-2.0
/**
 * Control structures of a TD (TDR, TDCS) and of its vCPUs (TDVPS), the TLB-tracking epoch, the
 * measurement, and the legal operation states of each leaf (facts: module ABI sections 7, 8.4 and
 * 10).
 */
@NullMarked
package dev.seamlab.seam.td;

import org.jspecify.annotations.NullMarked;
