// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** Digests that tell contents apart. */
public final class Digests {
    private Digests() {}

    public static byte[] sha256(byte[] bytes) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(bytes);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("each Java platform has SHA-256", e);
        }
    }
}
