// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.core;

/** Where the module stands; each state is left once, for the next (facts: section 1.1). */
public enum SysState {
    SYSINIT_PENDING,
    SYSINIT_DONE,
    SYSCONFIG_DONE,
    READY,
    SHUTDOWN
}
