// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.HostPolicy;
import dev.seamlab.host.HostPolicy.GetPut;
import dev.seamlab.host.HostPolicy.Install;
import dev.seamlab.host.Preset;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.machine.Registers;
import dev.seamlab.machine.sched.Waits;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.core.InterruptModel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/**
 * What the sweeps over a {@link WholeLife} share: the hosts they run on, how many of the points of
 * a life they take, and what must be true of host and books after any life.
 *
 * <p>{@code -Dsweep=all} takes every point; otherwise each host takes some, and other ones than its
 * neighbours.
 */
final class Sweeps {
    private static final boolean ALL = "all".equals(System.getProperty("sweep"));

    /** What is taken of many calls of one leaf in one step. */
    private static final int SHORT_ROW = 3;

    private static final int LONG_ROW = 32;

    /** Of how many points a host takes one, where not all are wanted. */
    private static final int ONE_IN = 24;

    /**
     * A host with some variants.
     *
     * @param number its place among all, for the choice of points
     */
    record Variant(String name, HostPolicy policy, int number) {
        /** A failed ADD is success there, as posted. */
        boolean hasR13() {
            return policy.getPut() == GetPut.GLOBAL_LOCK || policy.getPut() == GetPut.LOCK_AVOIDING;
        }

        @Override
        public String toString() {
            return name;
        }
    }

    private Sweeps() {}

    /** Every preset, and the install times that no preset has. {@code -Dsweep.variant=} is one. */
    static Stream<Variant> variants() {
        List<Variant> all = new ArrayList<>();
        for (Preset preset : Preset.values()) {
            all.add(new Variant(preset.id(), preset.policy(), all.size()));
        }
        for (Install install : Arrays.asList(Install.AT_TOPUP, Install.AT_LOOKUP)) {
            all.add(new Variant(install.name(), Preset.DEFAULT.policy().with(install), all.size()));
        }
        String only = System.getProperty("sweep.variant");
        return all.stream().filter(variant -> only == null || variant.name().equals(only));
    }

    /** The nth SEAMCALL of a life, and what it was in the life that nobody disturbed. */
    record Point(long nth, String step, Leaf leaf) {}

    private static final Map<Variant, List<Point>> POINTS = new ConcurrentHashMap<>();

    /** All calls of an undisturbed life in their order. */
    static List<Point> points(Variant variant) {
        return POINTS.computeIfAbsent(variant, Sweeps::listen);
    }

    private static List<Point> listen(Variant variant) {
        List<Point> points = new ArrayList<>();
        KvmRig rig = new KvmRig(variant.policy(), InterruptModel.NEVER);
        WholeLife life = new WholeLife(rig);
        rig.faults.replace(
                null,
                1,
                Long.MAX_VALUE,
                (module, cpu, regs) -> {
                    Leaf leaf = leafOf(regs);
                    points.add(new Point(points.size() + 1, life.now(), leaf));
                    return module.call(cpu, regs);
                });
        life.live();
        rig.faults.clear();
        assertThat(life.reachedItsEnd()).as("%s", life).isTrue();
        assertThat(life.told()).isEmpty();
        assertThat(life.report().isClean()).isTrue();
        assertNothingLost(rig, life, "undisturbed");
        rig.abandon();
        assertThat(points).hasSizeGreaterThan(1000);
        return points;
    }

    /** The leaf that is called. */
    static Leaf leafOf(Registers regs) {
        return Objects.requireNonNull(Leaf.of((int) regs.rax() & 0xFFFF));
    }

    /** The SEAMCALLs of which a variant refuses each. */
    static List<Point> pickCalls(List<Point> points, Variant variant) {
        return ALL ? points : pick(fromRows(points, SHORT_ROW), variant);
    }

    /** The SEAMCALLs at which something else happens to a variant. */
    static List<Point> pickMoments(List<Point> points, Variant variant) {
        return ALL ? fromRows(points, LONG_ROW) : pick(fromRows(points, SHORT_ROW), variant);
    }

    /**
     * Many calls come in rows, for the 512 pages of one leaf or table. Of those of one leaf in one
     * step a few will do: the first, the last, and some in between, evenly.
     */
    private static List<Point> fromRows(List<Point> points, int most) {
        Map<String, List<Point>> rows = new LinkedHashMap<>();
        for (Point point : points) {
            rows.computeIfAbsent(point.step() + point.leaf(), _ -> new ArrayList<>()).add(point);
        }
        List<Point> few = new ArrayList<>();
        for (List<Point> row : rows.values()) {
            int taken = Math.min(row.size(), most);
            for (int i = 0; i < taken; i++) {
                few.add(row.get(taken == 1 ? 0 : i * (row.size() - 1) / (taken - 1)));
            }
        }
        return few;
    }

    /** The points that a variant takes. */
    static <T> List<T> pick(List<T> points, Variant variant) {
        if (ALL) {
            return points;
        }
        List<T> some = new ArrayList<>();
        for (int i = variant.number() * (ONE_IN / 8) % ONE_IN; i < points.size(); i += ONE_IN) {
            some.add(points.get(i));
        }
        return some;
    }

    /** Whether all points are wanted. */
    static boolean takesAll() {
        return ALL;
    }

    /** A figure of a complete sweep, for docs/proof.md. */
    static void figure(Variant variant, String text) {
        if (ALL) {
            System.out.println(variant + ": " + text);
        }
    }

    /** Starts something and comes back when it is done, or waits for what the caller holds. */
    static Thread beside(String name, Runnable action) {
        Thread thread = Waits.start(name, action);
        Waits.spinUntil(() -> !thread.isAlive() || thread.getState() == Thread.State.TIMED_WAITING);
        return thread;
    }

    /** A signal for whoever runs or builds the VM. */
    static void signal(WholeLife life) {
        for (KvmVcpu vcpu : life.vm().vcpus()) {
            vcpu.requestExit();
        }
    }

    /** The signal was handled. */
    static void allowRun(WholeLife life) {
        for (KvmVcpu vcpu : life.vm().vcpus()) {
            vcpu.allowRun();
        }
    }

    /** Numbers from 1, the nth point each. */
    static List<Long> upTo(long points) {
        return Stream.iterate(1L, n -> n <= points, n -> n + 1).toList();
    }

    /**
     * After a life: a clean audit, and what did not come back is what somebody said was given up.
     */
    static void assertNothingLost(KvmRig rig, WholeLife life, String where) {
        assertThat(rig.audit()).as(where).isEmpty();
        long leaked = rig.toldOfLeaks();
        assertThat(life.report().isFinished()).as(where).isTrue();
        assertThat(life.vm().stats().get(KvmStats.Counter.LEAKED_PAGES))
                .as(where)
                .isEqualTo(leaked);
        assertThat(life.report().leakedPages()).as(where).isLessThanOrEqualTo(leaked);
        boolean keyLost = life.report().keyIdLeaked();
        assertThat(rig.host.keyIds().used()).as(where).isEqualTo(keyLost ? 1 : 0);
        // Also said where it came back in the end.
        boolean keySaidToBeLost = rig.log.stream().anyMatch(line -> line.endsWith("is leaked"));
        assertThat(keySaidToBeLost || !keyLost).as(where).isTrue();
        Map<PageUse, Long> left = rig.used();
        long lost = left.getOrDefault(PageUse.LEAKED, 0L);
        assertThat(lost).as(where).isEqualTo(leaked);
        long pairs = left.getOrDefault(PageUse.PAMT_PAIR, 0L);
        assertThat(pairs).as(where).isEqualTo(2 * backedRanges(rig));
        if (leaked == 0) {
            // the pair that the module did not give back, and no other.
            assertThat(pairs).as(where).isEqualTo(2L * rig.host.tdh().phymem().pairsKept().size());
        }
        left.remove(PageUse.LEAKED);
        left.remove(PageUse.PAMT_PAIR);
        assertThat(left).as(where).isEmpty();
    }

    /** Ranges that somebody counts a page in. */
    private static long backedRanges(KvmRig rig) {
        long[] ranges = new long[1];
        rig.host
                .refcounts()
                .ifPresent(counts ->
                        counts.forEachTouched((pfn, count) -> ranges[0] += count > 0 ? 1 : 0));
        return ranges[0];
    }
}
