// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

import dev.seamlab.seam.abi.TdcallLeaf;
import org.jspecify.annotations.Nullable;

/** The guest-side leaves that this module has. */
@FunctionalInterface
public interface Tdcalls {
    /** What runs a leaf, or null where this module does not know it. */
    @Nullable TdcallHandler handler(TdcallLeaf leaf);
}
