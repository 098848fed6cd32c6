// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * What a few threads do, as text: threads separated by {@code |}, operations by {@code ;}.
 *
 * <pre>
 *   put r0 | get r0; put r0 | get r0
 *   fault g0 | fault t1.g0
 * </pre>
 *
 * Range or page 0 and TD 0 may be left out.
 *
 * @param threads operations by thread
 */
public record Program(List<List<Op>> threads) {
    /** More would not end. */
    public static final int MAX_THREADS = 6;

    private static final int MAX_NUMBER = 7;
    private static final Pattern OPERATION =
            Pattern.compile(
                    "([a-z]+)(?:\\s+(?:t(\\d)(?:\\.|$))?(?:[rg](\\d))?)?(?:\\s+from\\s+r(\\d))?");

    /**
     * @throws IllegalArgumentException naming what is wrong
     */
    public Program {
        threads = threads.stream().map(List::copyOf).toList();
        if (threads.size() > MAX_THREADS) {
            throw new IllegalArgumentException("more than " + MAX_THREADS + " threads");
        }
        if (threads.stream().flatMap(List::stream).map(op -> op.verb().room()).distinct().count()
                != 1) {
            throw new IllegalArgumentException(
                    "a program speaks either of ranges (get, put, add, demote) or of TDs (fault, zap,"
                            + " ...)");
        }
    }

    /**
     * Reads a program.
     *
     * @throws IllegalArgumentException naming what is wrong and where
     */
    public static Program parse(String text) {
        List<List<Op>> threads = new ArrayList<>();
        for (String thread : text.split("\\|", -1)) {
            List<Op> ops = new ArrayList<>();
            for (String operation : thread.split(";", -1)) {
                ops.add(operation(operation.trim().toLowerCase(Locale.ROOT)));
            }
            threads.add(ops);
        }
        return new Program(threads);
    }

    private static Op operation(String text) {
        Matcher matcher = OPERATION.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException(
                    "\""
                            + text
                            + "\" is no operation: write for example 'get r0' or 'fault t1.g0'");
        }
        Verb verb = Verb.byWord(matcher.group(1));
        return new Op(
                verb,
                number(matcher.group(3), 0),
                number(matcher.group(4), -1),
                number(matcher.group(2), 0));
    }

    private static int number(@org.jspecify.annotations.Nullable String digits, int otherwise) {
        int number = digits == null ? otherwise : Integer.parseInt(digits);
        if (number > MAX_NUMBER) {
            throw new IllegalArgumentException("ranges, pages and TDs go up to " + MAX_NUMBER);
        }
        return number;
    }

    /** What its verbs drive. */
    public Verb.Room room() {
        return threads.getFirst().getFirst().verb().room();
    }

    /** Highest number of a range or page, plus one. */
    int targets() {
        return 1
                + threads.stream()
                        .flatMap(List::stream)
                        .mapToInt(op -> Math.max(op.target(), op.other()))
                        .max()
                        .orElse(0);
    }

    /** Highest number of a TD, plus one. */
    int tds() {
        return 1 + threads.stream().flatMap(List::stream).mapToInt(Op::td).max().orElse(0);
    }

    /** Whether some thread does this. */
    boolean has(Verb verb) {
        return count(verb) > 0;
    }

    /** How often this is done. */
    long count(Verb verb) {
        return threads.stream().flatMap(List::stream).filter(op -> op.verb() == verb).count();
    }

    /** Whether some thread does this to a TD. */
    boolean has(Verb verb, int td) {
        return count(verb, td) > 0;
    }

    /** How often this is done to a TD. */
    int count(Verb verb, int td) {
        return (int)
                threads.stream()
                        .flatMap(List::stream)
                        .filter(op -> op.verb() == verb && op.td() == td)
                        .count();
    }

    /** Each thread as text. */
    List<String> names() {
        return threads.stream()
                .map(ops -> ops.stream().map(Op::toString).collect(Collectors.joining("; ")))
                .toList();
    }

    @Override
    public String toString() {
        return String.join(" | ", names());
    }
}
