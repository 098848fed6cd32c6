// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;

/**
 * MRTD of a TDVF image, computed from the image alone (facts: module ABI sections 10.1, 11.1 and
 * 11.2). Shares no code with the product, on purpose.
 *
 * <p>The TD HOB is added but not extended, so its contents do not count.
 */
final class IndependentMrtd {
    private static final byte[] TABLE_FOOTER = guid("96b582de1fb245f7baeaa366c55a082d");
    private static final byte[] TDX_METADATA = guid("e47a6535984a4798865e4685a7bf8ec2");
    private static final int PAGE = 4096;
    private static final int CHUNK = 256;
    private static final int TYPE_PERM_MEM = 4;

    private IndependentMrtd() {}

    static byte[] of(byte[] image) {
        ByteBuffer bytes = ByteBuffer.wrap(image).order(ByteOrder.LITTLE_ENDIAN);
        int descriptor = descriptor(image, bytes);
        int sections = bytes.getInt(descriptor + 12);
        MessageDigest sha = sha384();
        for (int i = 0; i < sections; i++) {
            int at = descriptor + 16 + 32 * i;
            int dataOffset = bytes.getInt(at);
            int rawSize = bytes.getInt(at + 4);
            long address = bytes.getLong(at + 8);
            long size = bytes.getLong(at + 16);
            int type = bytes.getInt(at + 24);
            boolean extend = (bytes.getInt(at + 28) & 1) != 0;
            if (type >= TYPE_PERM_MEM) {
                continue;
            }
            for (long page = 0; page < size; page += PAGE) {
                sha.update(block("MEM.PAGE.ADD", address + page));
                if (extend) {
                    byte[] contents = new byte[PAGE];
                    int have = Math.clamp(rawSize - page, 0, PAGE);
                    System.arraycopy(image, (int) (dataOffset + page), contents, 0, have);
                    for (int chunk = 0; chunk < PAGE; chunk += CHUNK) {
                        sha.update(block("MR.EXTEND", address + page + chunk));
                        sha.update(contents, chunk, CHUNK);
                    }
                }
            }
        }
        return sha.digest();
    }

    /** Walks the GUIDed table at the end of the image backwards to the TDX metadata entry. */
    private static int descriptor(byte[] image, ByteBuffer bytes) {
        int footer = image.length - 0x30;
        if (!Arrays.equals(Arrays.copyOfRange(image, footer, footer + 16), TABLE_FOOTER)) {
            throw new AssertionError("no GUIDed table at the end of the image");
        }
        int end = footer + 16;
        int start = end - (bytes.getShort(footer - 2) & 0xFFFF);
        int at = footer - 2;
        while (at > start) {
            int length = bytes.getShort(at - 18) & 0xFFFF;
            if (Arrays.equals(Arrays.copyOfRange(image, at - 16, at), TDX_METADATA)) {
                return image.length - bytes.getInt(at - length);
            }
            at -= length;
        }
        throw new AssertionError("no TDX metadata entry in the table");
    }

    private static byte[] block(String name, long gpa) {
        ByteBuffer block = ByteBuffer.allocate(128).order(ByteOrder.LITTLE_ENDIAN);
        block.put(name.getBytes(StandardCharsets.US_ASCII));
        block.putLong(16, gpa);
        return block.array();
    }

    /** GUIDs stand in the image with their first three parts byte-swapped. */
    private static byte[] guid(String hex) {
        byte[] plain = java.util.HexFormat.of().parseHex(hex);
        byte[] mixed = plain.clone();
        int[] order = {3, 2, 1, 0, 5, 4, 7, 6};
        for (int i = 0; i < order.length; i++) {
            mixed[i] = plain[order[i]];
        }
        return mixed;
    }

    private static MessageDigest sha384() {
        try {
            return MessageDigest.getInstance("SHA-384");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JDK has SHA-384", e);
        }
    }
}
