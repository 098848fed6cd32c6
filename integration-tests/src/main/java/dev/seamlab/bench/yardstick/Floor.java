// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench.yardstick;

/** D0: Dynamic PAMT, and no lock of TD or MMU. */
final class Floor extends FaultYardstick {
    Floor(int tds, int pages) {
        super(tds, pages);
    }

    @Override
    void get(int range) {
        ranges().get(range);
    }
}
