// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.abi;

/** Operation state of a TD, in the TDCS (facts: section 7.2). The ordinal is the ABI's number. */
public enum OpState {
    UNINITIALIZED,
    INITIALIZED,
    RUNNABLE,
    LIVE_EXPORT,
    PAUSED_EXPORT,
    POST_EXPORT,
    MEMORY_IMPORT,
    STATE_IMPORT,
    POST_IMPORT,
    LIVE_IMPORT,
    FAILED_IMPORT,
    START_IMPORT
}
