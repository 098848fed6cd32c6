// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import java.nio.charset.StandardCharsets;
import java.util.Base64;

/**
 * Page tokens: the last name of a page and the query that it belongs to, opaque to clients. A token
 * holds no position, so that pages stay right while resources come and go.
 */
public final class PageToken {
    private static final char SEPARATOR = '\n';

    private PageToken() {}

    public static String write(String lastName, String query) {
        return Base64.getUrlEncoder()
                .withoutPadding()
                .encodeToString((lastName + SEPARATOR + query).getBytes(StandardCharsets.UTF_8));
    }

    /**
     * The last name of the page before; empty for an empty token.
     *
     * @throws Rejection where the token is not ours or belongs to another query
     */
    public static String read(String token, String query) {
        if (token.isEmpty()) {
            return "";
        }
        String text;
        try {
            text = new String(Base64.getUrlDecoder().decode(token), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw notOurs();
        }
        int at = text.indexOf(SEPARATOR);
        if (at <= 0) {
            throw notOurs();
        }
        if (!text.substring(at + 1).equals(query)) {
            throw Rejection.invalid(
                    "page_token", "belongs to another filter: use the filter of the first page");
        }
        return text.substring(0, at);
    }

    private static Rejection notOurs() {
        return Rejection.invalid(
                "page_token", "is no token of this method: send next_page_token as it came");
    }
}
