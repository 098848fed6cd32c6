// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.abi;

/** Life of a TD's key, in the TDR (facts: section 7.1). The ordinal is the ABI's number. */
public enum LifecycleState {
    HKID_ASSIGNED,
    KEYS_CONFIGURED,
    BLOCKED,
    TEARDOWN
}
