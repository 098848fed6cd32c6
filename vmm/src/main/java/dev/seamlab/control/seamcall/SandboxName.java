// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.seamcall;

/** Resource names of sandboxes: {@code sandboxes/{id}}. */
final class SandboxName {
    static final String TYPE = "seamlab.dev/Sandbox";
    private static final String PREFIX = "sandboxes/";

    private SandboxName() {}

    static String of(String id) {
        return PREFIX + id;
    }
}
