// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.openjdk.jmh.annotations.AuxCounters;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/**
 * What the measured parts alone allocate and how much CPU time they take, set-up and teardown
 * between them left out: both are sums over all threads that did the work, and over all iterations.
 * Bytes per operation is {@code allocatedBytes / operations}.
 *
 * <p>CPU time stands beside the wall time because it hardly moves when neighbours take the CPUs
 * away; the two differ where threads wait for each other or for a CPU.
 */
@State(Scope.Thread)
@AuxCounters(AuxCounters.Type.EVENTS)
public class Tally {
    static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    /** Operations done in measured parts. */
    public long operations;

    /** Bytes that they allocated on the heap. */
    public long allocatedBytes;

    /** CPU time that they took. */
    public long cpuNanos;

    /** Wall time of an invocation that was {@link #calm}: the median one of each iteration. */
    public long calmNanos;

    /** Operations that it did. */
    public long calmOperations;

    /** Invocations that were calm. */
    public long calmInvocations;

    /** Invocations, calm or not. */
    public long invocations;

    private final List<Long> calm = new ArrayList<>();

    /** JMH sets its counters to zero by itself. */
    @Setup(Level.Iteration)
    public void forget() {
        calm.clear();
    }

    /** An invocation in which each thread had a core of its own, as far as one can tell. */
    void calm(long nanos, int done) {
        calm.add(nanos);
        Collections.sort(calm);
        calmNanos = calm.get(calm.size() / 2);
        calmOperations = done;
        calmInvocations++;
    }

    /** One thread's part of a measured piece of work. */
    static final class Meter {
        private final AtomicLong bytes = new AtomicLong();
        private final AtomicLong nanos = new AtomicLong();
        private long bytesBefore;
        private long nanosBefore;

        void begin() {
            bytesBefore = THREADS.getCurrentThreadAllocatedBytes();
            nanosBefore = THREADS.getCurrentThreadCpuTime();
        }

        void end() {
            nanos.set(THREADS.getCurrentThreadCpuTime() - nanosBefore);
            bytes.set(THREADS.getCurrentThreadAllocatedBytes() - bytesBefore);
        }
    }

    private final Meter mine = new Meter();

    /** The measured part of this thread begins. */
    void begin() {
        mine.begin();
    }

    /** It ends, with so many operations done. */
    void end(int done) {
        mine.end();
        operations += done;
        add(mine);
    }

    /** Adds what one thread measured. */
    void add(Meter meter) {
        allocatedBytes += meter.bytes.get();
        cpuNanos += meter.nanos.get();
    }
}
