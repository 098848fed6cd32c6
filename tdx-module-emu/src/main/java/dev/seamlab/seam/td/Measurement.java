// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.td;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import org.jspecify.annotations.Nullable;

/**
 * MRTD in the making: one SHA-384 over a block per added page and three per extended chunk (facts:
 * module ABI section 10.1). Page contents enter through {@link #extend} only.
 */
public final class Measurement {
    /** Bytes of a SHA-384 value. */
    public static final int BYTES = 48;

    /** Bytes of contents that one MR.EXTEND measures. */
    public static final int CHUNK = 256;

    private static final int BLOCK = 128;
    private static final int GPA_AT = 16;
    private static final byte[] PAGE_ADD = "MEM.PAGE.ADD".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] EXTEND = "MR.EXTEND".getBytes(StandardCharsets.US_ASCII);

    private final byte[] block = new byte[BLOCK];

    // Null once finished. Guarded by the exclusive lock of the TDR.
    private @Nullable MessageDigest digest = sha384();

    /** MEM.PAGE.ADD: the address, not the contents. */
    public void addPage(long gpa) {
        update(PAGE_ADD, gpa);
    }

    /** MR.EXTEND: the address and 256 bytes of contents. */
    public void extend(long gpa, byte[] chunk) {
        update(EXTEND, gpa);
        running().update(chunk, 0, CHUNK);
    }

    /** MR.FINALIZE: the value. */
    public byte[] finish() {
        byte[] value = running().digest();
        digest = null;
        return value;
    }

    /** A fresh SHA-384. */
    public static MessageDigest sha384() {
        try {
            return MessageDigest.getInstance("SHA-384");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-384", e);
        }
    }

    private void update(byte[] name, long gpa) {
        java.util.Arrays.fill(block, (byte) 0);
        System.arraycopy(name, 0, block, 0, name.length);
        for (int i = 0; i < Long.BYTES; i++) {
            block[GPA_AT + i] = (byte) (gpa >>> (8 * i));
        }
        running().update(block);
    }

    private MessageDigest running() {
        MessageDigest open = digest;
        if (open == null) {
            throw new AssertionError("measurement after MR.FINALIZE");
        }
        return open;
    }
}
