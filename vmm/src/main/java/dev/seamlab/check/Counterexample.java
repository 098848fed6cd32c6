// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import java.util.List;

/**
 * One schedule, written down.
 *
 * @param lines what happened, in order
 * @param findings which rules it broke; empty where none
 * @param schedule for replaying it
 * @param preemptions how often a thread was pushed aside that could have gone on; -1 if unknown
 * @param program the threads, for headings
 */
public record Counterexample(
        List<Line> lines,
        List<Finding> findings,
        Schedule schedule,
        int preemptions,
        String program) {

    /**
     * One line.
     *
     * @param thread index of the thread; -1 for what was found there
     * @param step shared-memory steps taken so far
     */
    public record Line(int thread, String text, int step) {}

    public Counterexample {
        lines = List.copyOf(lines);
        findings = List.copyOf(findings);
    }

    /** The gravest rule that it breaks. */
    public Rule rule() {
        return findings.stream().map(Finding::rule).min(Rule::compareTo).orElseThrow();
    }

    /** What threads did, up to the first line after which nothing new is found. */
    public List<Line> story() {
        int last = lines.size();
        for (int i = lines.size() - 1; i >= 0 && lines.get(i).thread() >= 0; i--) {
            last = i;
        }
        return last == 0 ? lines : lines.subList(0, last);
    }

    /** Named steps of threads up to the last finding: its length for people. */
    public long length() {
        return story().stream().filter(line -> line.thread() >= 0).count();
    }
}
