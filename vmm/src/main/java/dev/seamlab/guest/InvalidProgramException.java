// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

/** A guest program that cannot be read. Says where, what is wrong, and what would be right. */
public final class InvalidProgramException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    private final int position;

    public InvalidProgramException(int position, String problem, String fix) {
        super("at character " + (position + 1) + ": " + problem + "; " + fix);
        this.position = position;
    }

    /** Offset of the first bad character in the text, from 0. */
    public int position() {
        return position;
    }
}
