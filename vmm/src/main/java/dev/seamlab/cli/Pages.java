// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;

/** A list that the server gives out in pages. */
final class Pages {
    private Pages() {}

    /**
     * All of it.
     *
     * @param page asks for the page that a token stands for; the first one's is empty
     * @param items what is on a page
     * @param next the token of the page after it, empty after the last
     */
    static <P, T> List<T> all(
            Function<String, P> page, Function<P, List<T>> items, Function<P, String> next) {
        List<T> all = new ArrayList<>();
        String token = "";
        do {
            P one = page.apply(token);
            all.addAll(items.apply(one));
            token = next.apply(one);
        } while (!token.isEmpty());
        return all;
    }
}
