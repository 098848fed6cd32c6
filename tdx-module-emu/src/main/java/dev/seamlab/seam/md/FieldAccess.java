// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.md;

/** Who reads or writes a metadata field. */
public enum FieldAccess {
    /** The host, on a production TD or on global fields. */
    HOST,
    /** The host, on a debug TD. */
    HOST_DEBUG,
    /** The TD itself. */
    GUEST;

    /** The host, on a debug TD or on another one. */
    public static FieldAccess ofHost(boolean debug) {
        return debug ? HOST_DEBUG : HOST;
    }
}
