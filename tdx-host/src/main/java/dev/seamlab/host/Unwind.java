// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import java.util.ArrayDeque;
import java.util.Deque;

/** What to undo if a later step fails, last first. */
final class Unwind {
    private final Deque<Runnable> steps = new ArrayDeque<>();

    void add(Runnable undo) {
        steps.push(undo);
    }

    void run() {
        while (!steps.isEmpty()) {
            steps.pop().run();
        }
    }
}
