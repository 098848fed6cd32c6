// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import java.util.Optional;

/**
 * A trust domain at one moment.
 *
 * @param id its name
 * @param revision grows with every change of state or progress; equal revisions mean equal state
 * @param state where it stands
 * @param progress how far its guest has come
 * @param hkid its KeyID, or 0 while it has none
 * @param mrtd measurement of its initial memory (48 bytes in hex), empty before it is finalised
 * @param failure why it is FAILED
 */
public record TdSnapshot(
        String id,
        long revision,
        TdState state,
        TdProgress progress,
        int hkid,
        String mrtd,
        Optional<Refusal> failure) {}
