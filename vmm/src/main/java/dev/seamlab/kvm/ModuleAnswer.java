// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Status;

/**
 * A SEAMCALL that did not do what KVM needed: what stands behind an errno.
 *
 * @param leaf the leaf
 * @param status completion status
 */
public record ModuleAnswer(Leaf leaf, long status) {
    @Override
    public String toString() {
        return leaf.abiName() + " answered " + Status.show(status);
    }
}
