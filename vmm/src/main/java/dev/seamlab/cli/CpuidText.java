// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import dev.seamlab.v1.CpuidEntry;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** For options that take a CPUID entry: {@code LEAF[.SUBLEAF]=EAX,EBX,ECX,EDX}. */
final class CpuidText implements ITypeConverter<CpuidEntry> {
    private static final Pattern TEXT =
            Pattern.compile("(\\w+)(?:\\.(\\w+))?=(\\w+),(\\w+),(\\w+),(\\w+)");

    @Override
    public CpuidEntry convert(String text) {
        Matcher matcher = TEXT.matcher(text.strip());
        if (!matcher.matches()) {
            throw bad(text);
        }
        CpuidEntry.Builder entry =
                CpuidEntry.newBuilder()
                        .setFunction(word(text, matcher.group(1)))
                        .setEax(word(text, matcher.group(3)))
                        .setEbx(word(text, matcher.group(4)))
                        .setEcx(word(text, matcher.group(5)))
                        .setEdx(word(text, matcher.group(6)));
        if (matcher.group(2) != null) {
            entry.setIndex(word(text, matcher.group(2)));
        }
        return entry.build();
    }

    private static int word(String text, String number) {
        try {
            long value = Hex.parse(number);
            if (value >>> Integer.SIZE == 0) {
                return (int) value;
            }
        } catch (NumberFormatException e) {
            // below
        }
        throw bad(text);
    }

    private static TypeConversionException bad(String text) {
        return new TypeConversionException(
                "'" + text + "' is no CPUID entry: write it like 7.0=0,0x40000,0,0");
    }
}
