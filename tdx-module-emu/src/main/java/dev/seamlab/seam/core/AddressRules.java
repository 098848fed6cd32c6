// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.core;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Hpa;
import dev.seamlab.machine.profile.MachineProfile;

/**
 * What makes an address operand valid on this machine (facts: module ABI section 1.3). The
 * protected range of the module itself (SEAMRR) is not part of the modelled address map.
 */
public final class AddressRules {
    private final int physicalBits;
    private final int addressBits;
    private final int firstPrivateHkid;

    AddressRules(MachineProfile profile) {
        physicalBits = profile.physicalBits();
        addressBits = profile.addressBits();
        firstPrivateHkid = profile.keyIds().firstPrivate();
    }

    /**
     * A private page: aligned, no KeyID bits, no bits above the 52 that any CPU has. The module
     * does not compare with the MAXPA of this CPU: an address between the two lies in no region,
     * which is another error.
     */
    public boolean isPrivatePage(long operand, long alignment) {
        return Addresses.isAligned(operand, alignment)
                && operand >>> Addresses.MAX_PHYSICAL_BITS == 0
                && hasNoHkid(operand);
    }

    /** A host buffer: aligned, below MAXPA, with a KeyID that is not TDX's. */
    public boolean isSharedBuffer(long operand, long alignment) {
        return Addresses.isAligned(operand, alignment) && isShared(operand);
    }

    /** Below MAXPA with a KeyID that is not TDX's. */
    public boolean isShared(long operand) {
        return operand >>> physicalBits == 0 && operand >>> addressBits < firstPrivateHkid;
    }

    /** Below MAXPA, whatever the KeyID. */
    public boolean isBelowMaxPa(long operand) {
        return operand >>> physicalBits == 0;
    }

    /** Whether the KeyID bits are zero; says nothing about bits above MAXPA. */
    public boolean hasNoHkid(long operand) {
        long hkidBits = (1L << (physicalBits - addressBits)) - 1;
        return (operand >>> addressBits & hkidBits) == 0;
    }

    /** The address without its KeyID. */
    public @Hpa long withoutHkid(long operand) {
        return operand & ((1L << addressBits) - 1);
    }

    /** Width of an address without KeyID. */
    public int addressBits() {
        return addressBits;
    }

    /** MAXPA. */
    public int physicalBits() {
        return physicalBits;
    }
}
