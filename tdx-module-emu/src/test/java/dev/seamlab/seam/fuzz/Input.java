// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.fuzz;

/** The bytes of one fuzzing input, read from the front; behind the end all is zero. */
public final class Input {
    private final byte[] bytes;
    private int at;

    public Input(byte[] bytes) {
        this.bytes = bytes;
    }

    /** Whether nothing is left. */
    public boolean atEnd() {
        return at >= bytes.length;
    }

    /** The next byte, 0 to 255. */
    public int next() {
        return atEnd() ? 0 : bytes[at++] & 0xFF;
    }

    /** The next eight bytes, the lowest first. */
    public long nextLong() {
        long value = 0;
        for (int i = 0; i < Long.BYTES; i++) {
            value |= (long) next() << (Byte.SIZE * i);
        }
        return value;
    }

    /** What is left. */
    public byte[] rest() {
        byte[] rest = new byte[Math.max(0, bytes.length - at)];
        System.arraycopy(bytes, Math.min(at, bytes.length), rest, 0, rest.length);
        at = bytes.length;
        return rest;
    }
}
