// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm.tdvf;

/** A firmware image that cannot be loaded. Names the field, what is wrong and what would help. */
public final class InvalidFirmwareException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    private final String field;

    public InvalidFirmwareException(String field, String problem, String fix) {
        super("TDVF " + field + ": " + problem + "; " + fix);
        this.field = field;
    }

    /** Path of the bad field in the image, for example {@code section[1].memory_address}. */
    public String field() {
        return field;
    }
}
