// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import org.jspecify.annotations.Nullable;

/**
 * The envelope of KVM_MEMORY_ENCRYPT_OP: step, flags, data and what the module said (struct
 * kvm_tdx_cmd). User space hands it in with {@link #hwError} 0 and finds the module's status word
 * there where a step passes one on.
 */
public final class TdxCmd {
    /** Flag of INIT_MEM_REGION: extend MRTD with what is added. */
    public static final int MEASURE_MEMORY_REGION = 1;

    private final int id;
    private final int flags;
    private final @Nullable Object data;
    private long hwError;

    /**
     * @param id number of the step; any number, as user space may send any
     * @param data what the data pointer points at; null, or something of another type than the step
     *     wants, is a bad pointer
     */
    public TdxCmd(int id, int flags, @Nullable Object data) {
        this.id = id;
        this.flags = flags;
        this.data = data;
    }

    /** An envelope without flags. */
    public static TdxCmd of(TdxStep step, @Nullable Object data) {
        return new TdxCmd(step.id(), 0, data);
    }

    /** Number of the step. */
    public int id() {
        return id;
    }

    /** Flags. */
    public int flags() {
        return flags;
    }

    /** The data, if it can be read as what the step wants; null otherwise, which is EFAULT. */
    <T> @Nullable T data(Class<T> type) {
        return type.isInstance(data) ? type.cast(data) : null;
    }

    /** The module's status word, or 0. */
    public long hwError() {
        return hwError;
    }

    /** What user space must not do before a call, and KVM does during it. */
    public TdxCmd hwError(long status) {
        hwError = status;
        return this;
    }
}
