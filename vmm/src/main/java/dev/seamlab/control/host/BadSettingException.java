// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.host;

/** A setting that no host can be started with. The message names it and says how to mend it. */
public final class BadSettingException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    public BadSettingException(String setting, String problem) {
        super(setting + ": " + problem);
    }
}
