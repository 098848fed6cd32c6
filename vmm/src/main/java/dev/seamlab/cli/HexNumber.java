// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** For options that take an address or a number: hex with 0x, or decimal. */
final class HexNumber implements ITypeConverter<Long> {
    @Override
    public Long convert(String text) {
        try {
            return Hex.parse(text);
        } catch (NumberFormatException e) {
            throw new TypeConversionException(
                    "'" + text + "' is no address: write it like 0x1000 or 4096");
        }
    }
}
