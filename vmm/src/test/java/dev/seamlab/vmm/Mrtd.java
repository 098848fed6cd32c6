// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.vmm.tdvf.TdvfImage;
import dev.seamlab.vmm.tdvf.TdvfSection;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/**
 * The oracle for MRTD: the rule of the specification (facts: module ABI section 10.1), computed
 * from the image without any of the code under test.
 */
final class Mrtd {
    private Mrtd() {}

    static String of(TrustDomainSpec spec) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-384");
            TdvfImage image = spec.firmware();
            byte[] bytes = image.bytes();
            for (TdvfSection section : image.sections()) {
                for (long page = 0; page < section.memorySize(); page += 4096) {
                    long gpa = section.memoryAddress() + page;
                    digest.update(block("MEM.PAGE.ADD", gpa));
                    for (int chunk = 0; section.isMeasured() && chunk < 4096; chunk += 256) {
                        digest.update(block("MR.EXTEND", gpa + chunk));
                        for (int i = 0; i < 256; i++) {
                            long at = page + chunk + i;
                            digest.update(
                                    at < section.rawSize()
                                            ? bytes[section.dataOffset() + (int) at]
                                            : 0);
                        }
                    }
                }
            }
            return HexFormat.of().formatHex(digest.digest());
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    private static byte[] block(String name, long gpa) {
        ByteBuffer block = ByteBuffer.allocate(128).order(ByteOrder.LITTLE_ENDIAN);
        block.put(name.getBytes(StandardCharsets.US_ASCII));
        block.putLong(16, gpa);
        return block.array();
    }
}
