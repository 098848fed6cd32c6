// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import java.util.Arrays;
import java.util.stream.Collectors;

/** Programs with a name. */
public enum Scenario {
    PUT_GET("put-get", "a last put meets a get that goes on to put (R-16)", "put | get; put | get"),
    FIRST_GETS("first-gets", "three first users of one range", "get | get | get"),
    LAST_PUTS("last-puts", "three users of one range leave it", "put | put | put"),
    GET_PUT_STORM(
            "get-put-storm",
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
    DEMOTE_ADD(
            "demote-add",
            "DEMOTE takes a pair out of a range that another TD begins to use (R-37)",
            "demote r0 | get r0; put r0"),
    FAULT_FAULT("fault-fault", "two vCPUs fault on one page", "fault g0 | fault g0"),
    FAULT_SAME_RANGE(
            "fault-same-range", "two vCPUs fault on two pages of one range", "fault g0 | fault g1"),
    FAULT_ZAP("fault-zap", "a fault meets the conversion of its page", "fault g0 | zap g0"),
    ACCEPT_ZAP(
            "accept-zap",
            "a running guest accepts a page while it is converted, and is kicked out",
            "accept g0 | zap g0"),
    CONVERT_STORM(
            "convert-storm",
            "a TD converts a page back and forth beside a TD that does so once (R-38)",
            "fault g0; zap g0; private g0; fault g0; zap g0 | fault t1.g0; zap t1.g0"),
    TEARDOWN_FAULT(
            "teardown-fault",
            "a TD ends while another one faults in the same range",
            "fault g0; teardown | fault t1.g0"),
    TERMINATE_FAULT(
            "terminate-fault",
            "KVM_TDX_TERMINATE_VM meets a fault and a zap of the same TD (R-44)",
            "terminate | fault g0; zap g0"),
    CREATE_FINALIZE(
            "create-finalize",
            "a vCPU is created and initialised while its TD is finalised (R-41)",
            "create | finalize"),
    SPLIT_FAULT(
            "split-fault",
            "a 2M page is split while another TD faults for the first time: DEMOTE meets ADD (R-37)",
            "split g0 | fault t1.g0"),
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
