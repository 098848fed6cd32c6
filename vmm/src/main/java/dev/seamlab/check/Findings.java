// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import java.util.ArrayList;
import java.util.List;

/** What one schedule broke; each rule once, at the first step where it showed. */
public final class Findings {
    private final List<Finding> list = new ArrayList<>();
    private int step;

    void clear() {
        list.clear();
        step = 0;
    }

    void at(int steps) {
        step = steps;
    }

    /** Adds a finding, unless this schedule has broken the rule already. */
    public void add(Rule rule, String text) {
        for (Finding known : list) {
            if (known.rule() == rule) {
                return;
            }
        }
        list.add(new Finding(rule, text, step));
    }

    boolean isEmpty() {
        return list.isEmpty();
    }

    List<Finding> list() {
        return List.copyOf(list);
    }
}
