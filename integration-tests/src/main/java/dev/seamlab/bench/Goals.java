// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The goals of the design, each with the figure that this run gives for it. */
final class Goals {
    private static final String FAULT = "PrivateFault.fault";
    private static final String ACCEPT = "PrivateFault.acceptAndTouch";

    /**
     * One goal.
     *
     * @param isLowerBound whether more is better
     */
    record Goal(String what, double goal, double value, String unit, boolean isLowerBound) {
        boolean isMet() {
            return isLowerBound ? value >= goal : value <= goal;
        }

        String bound() {
            return (isLowerBound ? "≥ " : "≤ ")
                    + String.format(Locale.ROOT, goal == Math.rint(goal) ? "%.0f" : "%.2f", goal)
                    + unit;
        }

        String reached() {
            return Double.isNaN(value)
                    ? "not measured"
                    : String.format(Locale.ROOT, "%.2f%s", value, unit);
        }
    }

    private final List<Row> rows;

    Goals(List<Row> rows) {
        this.rows = rows;
    }

    List<Goal> all() {
        double one = fault("v4", "one");
        double cas = score("GetPut.backed", "variant", "bare-cas", "threads", "one");
        List<Goal> goals = new ArrayList<>();
        goals.add(upper("private fault, one thread, v4", 40, one, " ns"));
        goals.add(upper("the same over `ideal`", 1.8, one / yardstick("ideal", "one"), "×"));
        goals.add(upper("dynamic over static", 1.25, one / fault("static", "one"), "×"));
        goals.add(
                upper(
                        "with ACCEPT, exit and touch",
                        60,
                        score(ACCEPT, "preset", "v4", "shape", "one"),
                        " ns"));
        goals.add(lower("two TDs in one GiB, speed-up", 1.8, speedUp("tds-one-gib")));
        goals.add(lower("two TDs apart, speed-up", 1.8, speedUp("tds-apart")));
        goals.add(lower("two vCPUs of one TD, speed-up", 1.5, speedUp("td-halves")));
        for (String variant : new String[] {"lock-avoiding", "dec-and-lock"}) {
            goals.add(
                    upper(
                            "get and put, " + variant + ", over two bare CAS",
                            3,
                            score("GetPut.backed", "variant", variant, "threads", "one") / cas,
                            "×"));
        }
        for (String preset : new String[] {"static", "v4"}) {
            goals.add(
                    upper(
                            "6 TiB host, " + preset + ", first in its JVM",
                            50,
                            score("HostStart.cold", "preset", preset),
                            " ms"));
            goals.add(
                    upper(
                            "6 TiB host, " + preset + ", heap",
                            64,
                            score("heap of a started host, server-6t, " + preset),
                            " MiB"));
        }
        goals.add(
                upper(
                        "emulator memory per accepted page, v4",
                        40,
                        score("heap per accepted 4K page, 64 GiB, v4"),
                        " B"));
        return goals;
    }

    private double fault(String preset, String shape) {
        return score(FAULT, "preset", preset, "shape", shape, "order", "in-order");
    }

    /** Of two threads over one, v4; says nothing unless each thread had a core of its own. */
    private double speedUp(String shape) {
        return calmFault("one") / calmFault(shape);
    }

    private double calmFault(String shape) {
        return rows.stream()
                .filter(row -> row.is(FAULT, "preset", "v4", "shape", shape, "order", "in-order"))
                .mapToDouble(Row::calm)
                .findFirst()
                .orElse(Double.NaN);
    }

    /** What the design of a yardstick takes; pages that are apart are no easier for it. */
    double yardstick(String design, String shape) {
        return yardstick(design, shape, "in-order");
    }

    private double yardstick(String design, String shape, String order) {
        String same = shape.equals("tds-apart") ? "tds-one-gib" : shape;
        return score("Yardsticks.fault", "design", design, "shape", same, "order", order);
    }

    private double score(String name, String... params) {
        return rows.stream()
                .filter(row -> row.is(name, params))
                .mapToDouble(Row::time)
                .findFirst()
                .orElse(Double.NaN);
    }

    /** What a row is held against, in words, and how many times it takes; empty where nothing. */
    String ratio(Row row) {
        if (row.benchmark().startsWith("PrivateFault")) {
            double ideal = yardstick("ideal", row.param("shape"), row.param("order"));
            double statics =
                    score(
                            row.benchmark(),
                            "preset",
                            "static",
                            "shape",
                            row.param("shape"),
                            "order",
                            row.param("order"));
            return times(row, ideal, "ideal") + also(times(row, statics, "static"));
        }
        if (row.benchmark().startsWith("GetPut")) {
            double cas =
                    score("GetPut.backed", "variant", "bare-cas", "threads", row.param("threads"));
            return times(row, cas, "bare-cas");
        }
        if (row.benchmark().equals("ScatteredFault.fault")
                || row.benchmark().startsWith("Departure")) {
            return times(
                    row,
                    score(
                            row.benchmark(),
                            "preset",
                            "static",
                            "shape",
                            row.param("shape"),
                            "step",
                            row.param("step")),
                    "static");
        }
        return "";
    }

    private static String also(String more) {
        return more.isEmpty() ? "" : ", " + more;
    }

    private static String times(Row row, double base, String name) {
        return Double.isNaN(base)
                ? ""
                : String.format(Locale.ROOT, "%.2f× %s", row.time() / base, name);
    }

    private static Goal upper(String what, double goal, double value, String unit) {
        return new Goal(what, goal, value, unit, false);
    }

    private static Goal lower(String what, double goal, double value) {
        return new Goal(what, goal, value, "×", true);
    }
}
