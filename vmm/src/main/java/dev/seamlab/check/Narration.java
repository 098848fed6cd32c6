// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

/** Takes notes of what threads do; or none, while schedules are only counted. */
interface Narration {
    /** Takes no notes. */
    Narration NONE =
            new Narration() {
                @Override
                public boolean isSilent() {
                    return true;
                }

                @Override
                public void note(String text) {
                    // Nobody reads this schedule.
                }

                @Override
                public void call(String leaf) {
                    // Nobody reads this schedule.
                }

                @Override
                public void answer(String status) {
                    // Nobody reads this schedule.
                }
            };

    /** Whether nothing is written down, so that nothing need be said. */
    default boolean isSilent() {
        return false;
    }

    /** The thread that moves now did something. */
    void note(String text);

    /** The thread that moves now executes SEAMCALL. */
    void call(String leaf);

    /** The module answered the thread that moves now. */
    void answer(String status);
}
