// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.tdg;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/**
 * A MOCK of the key with which a CPU protects TDREPORTs. The real one never leaves the CPU; this
 * one is derived from the name of the machine profile, so anybody can compute it, and a report
 * proves nothing. It keeps reports of differently named hosts apart, and that is all it is for.
 */
final class MockReportKey {
    private static final String ALGORITHM = "HmacSHA256";

    private final SecretKeySpec key;

    MockReportKey(String host) {
        byte[] seed = ("Seamlab MOCK report key of " + host).getBytes(StandardCharsets.UTF_8);
        key = new SecretKeySpec(seed, ALGORITHM);
    }

    /** MAC over the first {@code length} bytes. */
    byte[] mac(byte[] report, int length) {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(key);
            return mac.doFinal(Arrays.copyOf(report, length));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every JDK has " + ALGORITHM, e);
        }
    }
}
