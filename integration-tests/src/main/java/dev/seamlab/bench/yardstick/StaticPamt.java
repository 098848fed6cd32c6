// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench.yardstick;

/** D15: D1 on a host whose metadata exists since boot, so without get. */
final class StaticPamt extends FaultYardstick {
    StaticPamt(int tds, int pages) {
        super(tds, pages);
        ranges().backed();
    }

    @Override
    void enter(ReaderSlots td, int thread) {
        td.enter(thread);
    }

    @Override
    void leave(ReaderSlots td, int thread) {
        td.leave(thread);
    }
}
