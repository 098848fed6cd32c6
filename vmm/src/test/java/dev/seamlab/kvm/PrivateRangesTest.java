// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;

/** The attribute tree against boundaries in a map, over the whole address space of guest pages. */
class PrivateRangesTest {
    /** Pages of the largest GPA space that an ioctl can name. */
    private static final long SPACE = 1L << 51;

    private static final int UNIT = 512;

    record Change(long from, long to, boolean isPrivate) {}

    record Run(long from, long to) {}

    /** At which page the attribute changes, and to what; what it knows nothing of is shared. */
    private static final class Oracle {
        private final TreeMap<Long, Boolean> changes = new TreeMap<>(Map.of(0L, false));

        void set(Change change) {
            boolean after = changes.floorEntry(change.to()).getValue();
            changes.subMap(change.from(), true, change.to(), true).clear();
            changes.put(change.from(), change.isPrivate());
            changes.put(change.to(), after);
        }

        List<Run> runs(long from, long to) {
            List<Run> runs = new ArrayList<>();
            TreeMap<Long, Boolean> inside = new TreeMap<>(changes.subMap(from, true, to, false));
            inside.putIfAbsent(from, changes.floorEntry(from).getValue());
            for (Map.Entry<Long, Boolean> piece : inside.entrySet()) {
                if (!piece.getValue()) {
                    continue;
                }
                Long next = inside.higherKey(piece.getKey());
                long end = next == null ? to : next;
                boolean touches = !runs.isEmpty() && runs.getLast().to() == piece.getKey();
                long start = touches ? runs.removeLast().from() : piece.getKey();
                runs.add(new Run(start, end));
            }
            return runs;
        }
    }

    private static List<Run> runs(PrivateRanges ranges, long from, long to) {
        List<Run> runs = new ArrayList<>();
        ranges.forEach(from, to, (a, b) -> runs.add(new Run(a, b)));
        return runs;
    }

    /** Near each other, at edges of units and of nodes of each level, and the largest there are. */
    private static Arbitrary<Long> bounds() {
        Arbitrary<Long> edges =
                Combinators.combine(
                                Arbitraries.of(9, 18, 27, 36, 45),
                                Arbitraries.longs().between(0, 3),
                                Arbitraries.longs().between(-2, 2))
                        .as((shift, times, off) -> Math.max(0, (times << shift) + off));
        return Arbitraries.oneOf(
                Arbitraries.longs().between(0, 3 * UNIT),
                Arbitraries.longs().between(0, UNIT).map(page -> page * UNIT),
                edges,
                Arbitraries.longs().between(SPACE - 2 * UNIT, SPACE));
    }

    @Provide
    Arbitrary<Change> changes() {
        return Combinators.combine(bounds(), bounds(), Arbitraries.of(true, false))
                .as((a, b, isPrivate) -> new Change(Math.min(a, b), Math.max(a, b), isPrivate))
                .filter(change -> change.from() < change.to());
    }

    @Provide
    Arbitrary<List<Change>> programs() {
        return changes().list().ofMinSize(1).ofMaxSize(60);
    }

    @Property(tries = 400)
    void anyChanges_areWhatAMapOfBoundariesSays(
            @ForAll("programs") List<Change> program, @ForAll("changes") Change asked) {
        PrivateRanges ranges = new PrivateRanges();
        Oracle oracle = new Oracle();
        for (Change change : program) {
            List<Run> inside = oracle.runs(change.from(), change.to());
            boolean all = inside.equals(List.of(new Run(change.from(), change.to())));
            assertThat(ranges.isAll(change.from(), change.to(), true)).isEqualTo(all);
            assertThat(ranges.isAll(change.from(), change.to(), false)).isEqualTo(inside.isEmpty());
            ranges.set(change.from(), change.to(), change.isPrivate());
            oracle.set(change);
            assertThat(ranges.isAll(change.from(), change.to(), change.isPrivate())).isTrue();
            assertThat(ranges.isAll(change.from(), change.to(), !change.isPrivate())).isFalse();
        }
        assertThat(runs(ranges, 0, SPACE)).isEqualTo(oracle.runs(0, SPACE));
        assertThat(runs(ranges, asked.from(), asked.to()))
                .isEqualTo(oracle.runs(asked.from(), asked.to()));
    }

    @Example
    void fresh_isSharedAllOver() {
        PrivateRanges ranges = new PrivateRanges();
        assertThat(ranges.isAll(0, SPACE, false)).isTrue();
        assertThat(runs(ranges, 0, SPACE)).isEmpty();
        ranges.set(0, SPACE, true);
        assertThat(runs(ranges, 0, SPACE)).containsExactly(new Run(0, SPACE));
    }
}
