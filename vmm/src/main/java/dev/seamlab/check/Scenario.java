// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import java.util.Arrays;
import java.util.stream.Collectors;

/** Programs with a name. */
public enum Scenario {
    PUT_GET("put-get", "a last put meets a get that goes on to put (R-16)", "put | get; put | get"),
    FIRST_GETS("first-gets", "three first users of one range", "get | get | get"),
    LAST_PUTS("last-puts", "three users of one range leave it", "put | put | put"),
    CONVERT_STORM(
            "convert-storm",
            "two threads that take a range into use and leave it, over and over (R-38)",
            "get; put; get; put | get; put; get; put"),
    TWO_RANGES(
            "two-ranges",
            "two threads, two ranges, in opposite order (R-36)",
            "get r0; get r1; put r0; put r1 | get r1; get r0; put r1; put r0"),
    ADD_ADD(
            "add-add",
            "two ADDs without a lock, each with pair pages in the other's range (R-35)",
            "add r0 from r1 | add r1 from r0"),
    FAULT_FAULT("fault-fault", "two vCPUs fault on one page", "fault g0 | fault g0"),
    FAULT_ZAP("fault-zap", "a fault meets the conversion of its page", "fault g0 | zap g0"),
    TWO_TDS("two-tds", "faults of two TDs in one range", "fault t0.g0 | fault t1.g0");

    private final String id;
    private final String description;
    private final String program;

    Scenario(String id, String description, String program) {
        this.id = id;
        this.description = description;
        this.program = program;
    }

    /** As users write it. */
    public String id() {
        return id;
    }

    /** One line. */
    public String description() {
        return description;
    }

    /** What it stands for. */
    public String text() {
        return program;
    }

    /**
     * A scenario's program, or the program that the text is.
     *
     * @throws IllegalArgumentException where it is neither
     */
    public static Program program(String text) {
        for (Scenario scenario : values()) {
            if (scenario.id.equals(text)) {
                return Program.parse(scenario.program);
            }
        }
        try {
            return Program.parse(text);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    e.getMessage()
                            + "; scenarios are "
                            + Arrays.stream(values())
                                    .map(Scenario::id)
                                    .collect(Collectors.joining(", ")),
                    e);
        }
    }
}
