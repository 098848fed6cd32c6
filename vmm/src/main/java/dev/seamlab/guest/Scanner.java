// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

import java.util.Locale;

/** The tokens of a guest program, with positions for messages. */
final class Scanner {
    private final String text;
    private int at;

    Scanner(String text) {
        this.text = text;
    }

    int position() {
        return at;
    }

    void back(int position) {
        at = position;
    }

    /** Skips blanks and comments, but no line ends. */
    void skip() {
        while (at < text.length()) {
            char c = text.charAt(at);
            if (c == '#') {
                while (at < text.length() && text.charAt(at) != '\n') {
                    at++;
                }
            } else if (c == ' ' || c == '\t' || c == '\r') {
                at++;
            } else {
                return;
            }
        }
    }

    /** Skips any number of separators. */
    void separators() {
        skip();
        while (at < text.length() && isSeparator(text.charAt(at))) {
            at++;
            skip();
        }
    }

    /** Expects one separator. */
    void separator() {
        if (!isSeparator(text.charAt(at))) {
            throw bad("unexpected \"" + shown() + "\"", "separate operations with \";\"");
        }
        at++;
    }

    boolean atEnd() {
        int i = at;
        while (i < text.length()) {
            char c = text.charAt(i);
            if (!isSeparator(c) && c != ' ' && c != '\t' && c != '\r') {
                return false;
            }
            i++;
        }
        return true;
    }

    char peek() {
        return at < text.length() ? text.charAt(at) : '\0';
    }

    void expect(char c) {
        separatorsIfBrace(c);
        if (peek() != c) {
            throw bad(
                    at >= text.length() ? "the program ends" : "unexpected \"" + shown() + "\"",
                    "\"" + c + "\" is needed here");
        }
        at++;
    }

    /** A word of lower-case letters, digits and hyphens. */
    String word(String what) {
        skip();
        int start = at;
        while (at < text.length() && isWord(text.charAt(at))) {
            at++;
        }
        if (start == at) {
            throw bad(
                    at >= text.length() ? "the program ends" : "unexpected \"" + shown() + "\"",
                    what + " is needed here");
        }
        return text.substring(start, at);
    }

    /** One of some words, if it stands here; empty otherwise. */
    String option(String... words) {
        skip();
        for (String word : words) {
            int end = at + word.length();
            if (text.startsWith(word, at) && (end == text.length() || !isWord(text.charAt(end)))) {
                at = end;
                return word;
            }
        }
        return "";
    }

    /** Whether a range goes on with a size ("+") rather than an end (".."). */
    boolean rangeOperator() {
        skip();
        if (text.startsWith("..", at)) {
            at += 2;
            return false;
        }
        if (peek() == '+') {
            at++;
            return true;
        }
        throw bad("the range has no end", "write start..end or start+size");
    }

    String quoted() {
        skip();
        if (peek() != '"') {
            throw bad("a text is needed here", "put it into double quotes");
        }
        int end = text.indexOf('"', at + 1);
        if (end < 0) {
            throw bad("the text has no end", "close it with a double quote");
        }
        String inner = text.substring(at + 1, end);
        at = end + 1;
        return inner;
    }

    long number(String what, long least, long most) {
        skip();
        int start = at;
        boolean hex = text.regionMatches(true, at, "0x", 0, 2);
        if (hex) {
            at += 2;
        }
        long value = digits(start, hex ? 16 : 10, what);
        value = suffix(start, value);
        if (value < least || value > most) {
            throw new InvalidProgramException(
                    start,
                    what + " of " + text.substring(start, at) + " is out of bounds",
                    "it must be " + least + " to " + most);
        }
        return value;
    }

    InvalidProgramException bad(String problem, String fix) {
        return new InvalidProgramException(at, problem, fix);
    }

    private long digits(int start, int radix, String what) {
        long value = 0;
        int count = 0;
        while (at < text.length()) {
            char c = text.charAt(at);
            int digit = c < 128 ? Character.digit(c, radix) : -1;
            if (c == '_' && count > 0) {
                at++;
            } else if (digit >= 0) {
                if (value > (Long.MAX_VALUE - digit) / radix) {
                    throw tooLarge(start);
                }
                value = value * radix + digit;
                count++;
                at++;
            } else {
                break;
            }
        }
        if (count == 0) {
            throw new InvalidProgramException(
                    start, what + " is needed here", "for example 16, 0x1000 or 2m");
        }
        return value;
    }

    private long suffix(int start, long value) {
        int shift =
                switch (String.valueOf(peek()).toLowerCase(Locale.ROOT)) {
                    case "k" -> 10;
                    case "m" -> 20;
                    case "g" -> 30;
                    default -> 0;
                };
        if (shift == 0) {
            return value;
        }
        at++;
        if (value > Long.MAX_VALUE >> shift) {
            throw tooLarge(start);
        }
        return value << shift;
    }

    private InvalidProgramException tooLarge(int start) {
        return new InvalidProgramException(start, "the number is too large", "use 63 bits at most");
    }

    private void separatorsIfBrace(char c) {
        if (c == '{' || c == '}') {
            separators();
        } else {
            skip();
        }
    }

    private String shown() {
        return String.valueOf(text.charAt(at));
    }

    private static boolean isSeparator(char c) {
        return c == ';' || c == '\n';
    }

    private static boolean isWord(char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    }
}
