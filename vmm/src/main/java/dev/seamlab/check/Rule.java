// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

/**
 * What no schedule may do; the gravest first. I1 to I4 are the invariants of get and put (facts:
 * Linux sheet section 3.2).
 */
public enum Rule {
    I3("get succeeded, but the range has no page pair"),
    DEADLOCK("some threads wait for ever"),
    LOST_WAKE_UP("a thread sleeps although what it waits for has come"),
    LOCK_ORDER("a lock is taken out of order, or not given back"),
    SLEEPS("a thread would sleep, or allocate with reclaim, under a spinning lock"),
    UNDERFLOW("put without get"),
    RAISED("the code raised an error"),
    RUNAWAY("a thread goes round in circles"),
    I1("the refcount is above zero, but the range has no page pair"),
    REFUSED("the module refused what it must not refuse here"),
    FAILED("an operation failed that must succeed"),
    I2("the refcount is zero, but the range has a page pair"),
    I4("the refcount is not the number of users"),
    LEAK("pages did not come back"),
    AUDIT("the auditor found something");

    private final String meaning;

    Rule(String meaning) {
        this.meaning = meaning;
    }

    /** What it means when it is broken. */
    public String meaning() {
        return meaning;
    }

    /** The rule that an error thrown by the code under test breaks. */
    static Rule of(Throwable error) {
        String text = String.valueOf(error.getMessage());
        if (text.startsWith("would sleep") || text.startsWith("would allocate")) {
            return SLEEPS;
        }
        if (text.startsWith("lock order") || text.startsWith("unlock of")) {
            // Allocating under the PAMT lock shows as the allocator's lock after it.
            return text.contains("PAGE_ALLOCATOR taken after") ? SLEEPS : LOCK_ORDER;
        }
        return text.startsWith("put without get") ? UNDERFLOW : RAISED;
    }
}
