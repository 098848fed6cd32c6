// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import dev.seamlab.v1.SeamcallRecord;
import java.io.IOException;
import java.io.Writer;
import java.util.BitSet;
import java.util.Locale;

/**
 * Writes SEAMCALLs in the Trace Event Format, which Perfetto and Chrome read: a track per CPU, a
 * complete event ("X") per call. Times are microseconds, with three digits for nanoseconds; the
 * first call that ended began at one second, so that a long one that began before it is not at less
 * than zero. Names are those of leaves and statuses: nothing in them needs escaping.
 */
final class ChromeTrace implements AutoCloseable {
    private static final double NANOS_PER_MICRO = 1000;

    private static final long BEFORE = 1_000_000_000L;

    private final Writer out;
    private final BitSet named = new BitSet();
    private long origin;
    private long size;
    private boolean empty = true;

    ChromeTrace(Writer out) throws IOException {
        this.out = out;
        out.write("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[");
        event(
                "{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":1,\"args\":{\"name\":\"SEAMCALL\"}}");
    }

    /** Calls so far. */
    long size() {
        return size;
    }

    void add(SeamcallRecord call) throws IOException {
        long duration = Durations.toNanos(call.getDuration());
        long began = Timestamps.toNanos(call.getReturnTime()) - duration;
        if (size++ == 0) {
            origin = began - BEFORE;
        }
        int cpu = call.getCpu();
        if (!named.get(cpu)) {
            named.set(cpu);
            event(
                    "{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":1,\"tid\":"
                            + cpu
                            + ",\"args\":{\"name\":\"cpu"
                            + cpu
                            + "\"}}");
        }
        event(
                String.format(
                        Locale.ROOT,
                        "{\"ph\":\"X\",\"cat\":\"seamcall\",\"name\":\"%s\",\"pid\":1,\"tid\":%d,"
                                + "\"ts\":%.3f,\"dur\":%.3f,\"args\":{\"status\":\"%s\"%s}}",
                        call.getLeafName().isEmpty()
                                ? "leaf " + call.getLeaf()
                                : call.getLeafName(),
                        cpu,
                        (began - origin) / NANOS_PER_MICRO,
                        duration / NANOS_PER_MICRO,
                        call.getStatusName().isEmpty()
                                ? Hex.word(call.getOutput().getRax())
                                : call.getStatusName(),
                        call.getTdrHpa() == 0
                                ? ""
                                : ",\"td\":\"" + Hex.word(call.getTdrHpa()) + "\""));
    }

    private void event(String json) throws IOException {
        out.write(empty ? "\n" : ",\n");
        out.write(json);
        empty = false;
    }

    @Override
    public void close() throws IOException {
        out.write("\n]}\n");
    }
}
