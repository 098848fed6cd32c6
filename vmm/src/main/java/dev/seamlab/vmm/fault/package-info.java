// SPDX-License-Identifier: Apache-2.0
/** Failures that the host is to meet on purpose: SEAMCALLs and allocations that are refused. */
@NullMarked
package dev.seamlab.vmm.fault;

import org.jspecify.annotations.NullMarked;
