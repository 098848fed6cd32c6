// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench.yardstick;

/** D1: Dynamic PAMT with reader slots, a bit lock per 2 MiB, and increment-unless-zero. */
final class Ideal extends FaultYardstick {
    Ideal(int tds, int pages) {
        super(tds, pages);
    }

    @Override
    void enter(ReaderSlots td, int thread) {
        td.enter(thread);
    }

    @Override
    void leave(ReaderSlots td, int thread) {
        td.leave(thread);
    }

    @Override
    void get(int range) {
        ranges().get(range);
    }
}
