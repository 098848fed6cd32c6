// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.OptionalLong;

/**
 * Page tokens of one list method: the last name of a page and the query that it belongs to, opaque
 * to clients. A token holds no position, so that pages stay right while resources come and go.
 */
public final class PageToken {
    private static final char SEPARATOR = '\n';
    private static final int HEX = 16;

    private final String method;

    private PageToken(String method) {
        this.method = method;
    }

    /** The tokens of a method; those of others are refused. */
    public static PageToken of(String method) {
        return new PageToken(method);
    }

    /** A token for what comes after a name. */
    public String write(String lastName, String query) {
        return Base64.getUrlEncoder()
                .withoutPadding()
                .encodeToString(
                        (method + SEPARATOR + lastName + SEPARATOR + query)
                                .getBytes(StandardCharsets.UTF_8));
    }

    /** A token for what comes after a number, which is 0 or more. */
    public String write(long last, String query) {
        return write(Long.toHexString(last), query);
    }

    /**
     * The last name of the page before; empty for an empty token.
     *
     * @throws Rejection where the token is not ours or belongs to another query
     */
    public String read(String token, String query) {
        if (token.isEmpty()) {
            return "";
        }
        String[] parts = decode(token).split(String.valueOf(SEPARATOR), 3);
        if (parts.length < 3 || !parts[0].equals(method) || parts[1].isEmpty()) {
            throw notOurs();
        }
        if (!parts[2].equals(query)) {
            throw Rejection.invalid(
                    "page_token", "belongs to another filter: use the filter of the first page");
        }
        return parts[1];
    }

    /**
     * The last number of the page before; nothing for an empty token.
     *
     * @throws Rejection where the token is not ours or belongs to another query
     */
    public OptionalLong readNumber(String token, String query) {
        String text = read(token, query);
        if (text.isEmpty()) {
            return OptionalLong.empty();
        }
        try {
            long number = Long.parseLong(text, HEX);
            if (number >= 0) {
                return OptionalLong.of(number);
            }
        } catch (NumberFormatException e) {
            // below
        }
        throw notOurs();
    }

    private static String decode(String token) {
        try {
            return new String(Base64.getUrlDecoder().decode(token), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw notOurs();
        }
    }

    private static Rejection notOurs() {
        return Rejection.invalid(
                "page_token", "is no token of this method: send next_page_token as it came");
    }
}
