// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import org.jspecify.annotations.Nullable;

/**
 * The 4K table of the mirror that a vCPU's last fault came to, because the next one mostly lies
 * beside it. Used by the vCPU's thread alone, with MMU held for reading; whoever takes tables out
 * of the mirror holds MMU for writing, or tears the VM down, and says so with {@link
 * MirrorEpt#reshaped}.
 */
final class MirrorCursor {
    private static final int RANGE_GFN_SHIFT = Addresses.RANGE_SHIFT - Addresses.PAGE_SHIFT;

    private @Nullable MirrorTable table;
    private @Gfn long range;
    private long shape;

    /** The 4K table of a guest page, or null where a walk has to find it. */
    @Nullable MirrorTable tableOf(MirrorEpt mirror, @Gfn long gfn) {
        return gfn >>> RANGE_GFN_SHIFT == range && mirror.shape() == shape ? table : null;
    }

    /** A walk, with MMU held since its beginning, came to this table. */
    void remember(MirrorEpt mirror, @Gfn long gfn, MirrorTable found) {
        table = found;
        range = gfn >>> RANGE_GFN_SHIFT;
        shape = mirror.shape();
    }
}
