// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.abi;

/** State of a vCPU, in the TDVPS (facts: section 7.3). */
public enum VcpuState {
    UNINITIALIZED(0),
    READY(2),
    ACTIVE(4),
    DISABLED(8),
    IMPORT(16);

    private final int code;

    VcpuState(int code) {
        this.code = code;
    }

    /** Number that VCPU_STATE_INCORRECT carries in its low half. */
    public int code() {
        return code;
    }
}
