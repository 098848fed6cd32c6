// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.call;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Filters of lists and watches: terms joined by {@code AND}. */
public final class Filter {
    private static final Pattern AND = Pattern.compile("\\s+AND\\s+");
    private static final Pattern TERM =
            Pattern.compile("([\\w./-]+)\\s*(<=|>=|=|<|>)\\s*\"?([^\"\\s]+)\"?");

    private Filter() {}

    /**
     * One term.
     *
     * @param key what is compared
     * @param operator one of {@code < <= = >= >}
     * @param value what it is compared with, without quotes
     */
    public record Term(String key, String operator, String value) {
        /**
         * The term where only equality makes sense.
         *
         * @throws Rejection where it asks for something else
         */
        public Term equality() {
            if (!operator.equals("=")) {
                throw refuse(key + " can only be compared with =");
            }
            return this;
        }

        /** Whether a number is as the term wants it. */
        public boolean holds(long number, long wanted) {
            return switch (operator) {
                case "<" -> number < wanted;
                case "<=" -> number <= wanted;
                case "=" -> number == wanted;
                case ">=" -> number >= wanted;
                default -> number > wanted;
            };
        }

        /**
         * The value as a number.
         *
         * @throws Rejection where it is none
         */
        public long number() {
            try {
                return Long.parseLong(value);
            } catch (NumberFormatException e) {
                throw refuse(value + " is no number");
            }
        }
    }

    /**
     * The terms of a filter; none for an empty one.
     *
     * @throws Rejection where it is not of this form
     */
    public static List<Term> terms(String filter, String example) {
        List<Term> terms = new ArrayList<>();
        for (String text : filter.isBlank() ? new String[0] : AND.split(filter.strip())) {
            Matcher matcher = TERM.matcher(text);
            if (!matcher.matches()) {
                throw refuse('"' + text + "\" is no term: write for example " + example);
            }
            terms.add(new Term(matcher.group(1), matcher.group(2), matcher.group(3)));
        }
        return terms;
    }

    /** A filter that asks for what is not there. */
    public static Rejection refuse(String description) {
        return Rejection.invalid("filter", description);
    }
}
