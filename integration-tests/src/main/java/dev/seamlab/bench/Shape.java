// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

/**
 * Who faults. Two threads always share the pages to be touched evenly, so one invocation serves the
 * same number of faults in every shape, and ns per operation is wall time for both threads
 * together.
 */
enum Shape {
    /** One TD, one vCPU. */
    ONE("one", 1, 1),
    /** Two TDs of one vCPU each; their pages come from the same GiB of the host. */
    TDS_ONE_GIB("tds-one-gib", 2, 1),
    /** Two TDs of one vCPU each; their pages come from different NUMA nodes. */
    TDS_APART("tds-apart", 2, 1),
    /** One TD, two vCPUs: one takes the first half of the pages, one the second. */
    TD_HALVES("td-halves", 1, 2),
    /** One TD, two vCPUs: they take every other page. */
    TD_ALTERNATE("td-alternate", 1, 2);

    private final String id;
    private final int tds;
    private final int vcpus;

    Shape(String id, int tds, int vcpus) {
        this.id = id;
        this.tds = tds;
        this.vcpus = vcpus;
    }

    static Shape byName(String name) {
        for (Shape shape : values()) {
            if (shape.id.equals(name)) {
                return shape;
            }
        }
        throw new IllegalArgumentException("no shape is called " + name);
    }

    int tds() {
        return tds;
    }

    int vcpus() {
        return vcpus;
    }

    int threads() {
        return tds * vcpus;
    }

    /** The TD that a thread's faults belong to. */
    int tdOf(int thread) {
        return tds == 1 ? 0 : thread;
    }

    /** Which of {@code pages} places in the order a thread takes. */
    Share share(int thread, int pages) {
        return switch (this) {
            case ONE -> new Share(0, pages, 1);
            // Each TD has an address space of its own.
            case TDS_ONE_GIB, TDS_APART -> new Share(0, pages / 2, 1);
            case TD_HALVES -> new Share(thread * (pages / 2), (thread + 1) * (pages / 2), 1);
            case TD_ALTERNATE -> new Share(thread, pages, 2);
        };
    }

    /**
     * Places in an order.
     *
     * @param from first one
     * @param to end, not included
     * @param step distance from one to the next
     */
    record Share(int from, int to, int step) {
        /** The same share of a later slice of the order. */
        Share shifted(int by) {
            return new Share(from + by, to + by, step);
        }
    }
}
