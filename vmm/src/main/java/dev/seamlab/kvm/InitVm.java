// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.seam.abi.TdParams;
import java.util.List;

/** What KVM_TDX_INIT_VM is given (struct kvm_tdx_init_vm). */
public final class InitVm {
    private final long attributes;
    private final long xfam;
    private final List<CpuidEntry> cpuid;
    private final byte[] mrConfigId = new byte[TdParams.MEASUREMENT_BYTES];
    private final byte[] mrOwner = new byte[TdParams.MEASUREMENT_BYTES];
    private final byte[] mrOwnerConfig = new byte[TdParams.MEASUREMENT_BYTES];
    private long reserved;

    /**
     * @param cpuid configurable leaves alone, with the values that the guest shall see; the leaf
     *     0x80000008 must be there, with 48 or 52 in EAX bits 23:16
     */
    public InitVm(long attributes, long xfam, List<CpuidEntry> cpuid) {
        this.attributes = attributes;
        this.xfam = xfam;
        this.cpuid = List.copyOf(cpuid);
    }

    /** A TD that sees the CPU as it is. */
    public static InitVm of(TdConfig config) {
        return new InitVm(
                config.attributes(),
                config.xfam(),
                List.of(CpuidEntry.addressWidth(config.gpaWidth())));
    }

    /** The three 48-byte identities that the TD's report carries; they start as zeroes. */
    public InitVm identities(byte[] configId, byte[] owner, byte[] ownerConfig) {
        System.arraycopy(configId, 0, mrConfigId, 0, mrConfigId.length);
        System.arraycopy(owner, 0, mrOwner, 0, mrOwner.length);
        System.arraycopy(ownerConfig, 0, mrOwnerConfig, 0, mrOwnerConfig.length);
        return this;
    }

    /** Something in the reserved words, which KVM refuses unless it is 0. */
    public InitVm reserved(long value) {
        reserved = value;
        return this;
    }

    long attributes() {
        return attributes;
    }

    long xfam() {
        return xfam;
    }

    List<CpuidEntry> cpuid() {
        return cpuid;
    }

    byte[] mrConfigId() {
        return mrConfigId;
    }

    byte[] mrOwner() {
        return mrOwner;
    }

    byte[] mrOwnerConfig() {
        return mrOwnerConfig;
    }

    long reserved() {
        return reserved;
    }
}
