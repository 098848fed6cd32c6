// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

import dev.seamlab.guest.GuestMemory.Range;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.GuestMode.Access;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The built-ins: one row each, with parameters, bounds and what they become. */
final class BuiltinPrograms {
    /** Bounds and default of one parameter. */
    record Parameter(long least, long most, long usual) {}

    /** Makes the operations of one vCPU. */
    interface Maker {
        List<Op> make(Share share, Map<String, Long> parameters);
    }

    /**
     * One built-in.
     *
     * @param purpose one line for listings
     */
    record Row(String name, String purpose, Map<String, Parameter> parameters, Maker maker) {}

    private static final Parameter PERCENT = new Parameter(0, 100, 25);
    private static final Parameter ROUNDS = new Parameter(1, 1_000_000_000, 100);
    private static final Parameter TOUCHES = new Parameter(1, 1_000_000_000_000L, 100_000);
    private static final Parameter SEED = new Parameter(0, Long.MAX_VALUE >> 1, 1);

    /** MiB; rounded down to a power of two. */
    private static final Parameter UNIT = new Parameter(1, 1024, Op.Use.LINUX_UNIT >> 20);

    private static final Map<String, Row> ROWS = new TreeMap<>();

    static {
        add("idle", "halts at once", Map.of(), (share, p) -> List.of());
        add(
                "boot-lazy",
                "accepts and touches a part of memory, unit by unit, as a Linux guest boots",
                Map.of("percent", PERCENT, "unit", UNIT),
                BuiltinPrograms::bootLazy);
        add(
                "boot-eager",
                "accepts all memory first, then touches a part",
                Map.of("percent", PERCENT),
                BuiltinPrograms::bootEager);
        add(
                "boot-on-touch",
                "touches a part and accepts each page in its #VE handler; without sept_ve_disable",
                Map.of("percent", PERCENT),
                BuiltinPrograms::bootOnTouch);
        add(
                "touch-all",
                "accepts and touches every page",
                Map.of(),
                (share, p) -> use(share.percent(100), Op.Use.DEFAULT_UNIT));
        add(
                "convert-storm",
                "converts the same pages to shared and back, over and over",
                Map.of("rounds", ROUNDS, "pages", new Parameter(1, 1 << 20, 16)),
                BuiltinPrograms::convertStorm);
        add(
                "balloon",
                "gives a part of memory back to the host and takes it again, over and over",
                Map.of("rounds", new Parameter(1, 1_000_000_000, 10), "percent", PERCENT),
                BuiltinPrograms::balloon);
        add(
                "random",
                "accepts a part of memory and touches its pages at random",
                Map.of("percent", PERCENT, "touches", TOUCHES, "seed", SEED),
                (share, p) -> walk(share, p, 0));
        add(
                "zipf",
                "accepts a part of memory and touches its pages by Zipf's law",
                Map.of(
                        "percent",
                        PERCENT,
                        "touches",
                        TOUCHES,
                        "seed",
                        SEED,
                        "skew",
                        new Parameter(1, ProgramParser.MAX_SKEW, ProgramParser.USUAL_SKEW)),
                (share, p) -> walk(share, p, value(p, "skew")));
    }

    private BuiltinPrograms() {}

    static List<String> names() {
        return List.copyOf(ROWS.keySet());
    }

    static Row row(String name) {
        Row row = ROWS.get(name);
        if (row == null) {
            throw new IllegalArgumentException("no built-in program " + name);
        }
        return row;
    }

    static boolean isBuiltin(String name) {
        return ROWS.containsKey(name);
    }

    static List<Op> compile(Builtin builtin, GuestMemory memory, int vcpu, int vcpus) {
        Row row = row(builtin.name());
        Map<String, Long> values = new TreeMap<>();
        row.parameters().forEach((name, parameter) -> values.put(name, parameter.usual()));
        values.putAll(builtin.parameters());
        return row.maker().make(new Share(memory, vcpu, vcpus), values);
    }

    private static void add(
            String name, String purpose, Map<String, Parameter> parameters, Maker maker) {
        ROWS.put(name, new Row(name, purpose, Map.copyOf(parameters), maker));
    }

    private static List<Op> bootLazy(Share share, Map<String, Long> parameters) {
        long unit = Long.highestOneBit(value(parameters, "unit")) << 20;
        return use(share.percent(value(parameters, "percent")), unit);
    }

    private static List<Op> bootOnTouch(Share share, Map<String, Long> parameters) {
        List<Op> ops = new ArrayList<>();
        for (Range range : share.percent(value(parameters, "percent"))) {
            ops.add(new Op.Touch(range, Access.WRITE, false));
        }
        return ops;
    }

    /** Inflating makes the pages shared, for the host to take; deflating makes them private. */
    private static List<Op> balloon(Share share, Map<String, Long> parameters) {
        List<Op> ops = new ArrayList<>();
        List<Op> round = new ArrayList<>();
        List<Range> part = share.percent(value(parameters, "percent"));
        for (Range range : part) {
            ops.add(new Op.Use(range));
            round.add(new Op.MapGpa(range, true));
        }
        for (Range range : part) {
            round.add(new Op.MapGpa(range, false));
            round.add(new Op.Use(range));
        }
        if (!round.isEmpty()) {
            ops.add(new Op.Loop(value(parameters, "rounds"), round));
        }
        return ops;
    }

    private static List<Op> walk(Share share, Map<String, Long> parameters, long skew) {
        List<Op> ops = new ArrayList<>();
        List<Range> part = share.percent(value(parameters, "percent"));
        for (Range range : part) {
            ops.add(new Op.Accept(range, true));
        }
        long pages = part.stream().mapToLong(Range::pages).sum();
        for (Range range : part) {
            long touches = value(parameters, "touches") * range.pages() / pages;
            if (touches > 0) {
                ops.add(new Op.Walk(range, touches, skew, value(parameters, "seed")));
            }
        }
        return ops;
    }

    private static List<Op> bootEager(Share share, Map<String, Long> parameters) {
        List<Op> ops = new ArrayList<>();
        for (Range range : share.percent(100)) {
            ops.add(new Op.Accept(range, true));
        }
        for (Range range : share.percent(value(parameters, "percent"))) {
            ops.add(new Op.Touch(range, Access.WRITE, false));
        }
        return ops;
    }

    private static List<Op> convertStorm(Share share, Map<String, Long> parameters) {
        List<Range> mine = share.percent(100);
        if (mine.isEmpty()) {
            return List.of();
        }
        long bytes = value(parameters, "pages") << Addresses.PAGE_SHIFT;
        Range first = mine.getFirst();
        Range range = new Range(first.start(), first.start() + Math.min(bytes, first.size()));
        return List.of(
                new Op.Accept(range, false),
                new Op.Loop(
                        value(parameters, "rounds"),
                        List.of(
                                new Op.MapGpa(range, true),
                                new Op.Touch(range, Access.WRITE, true),
                                new Op.MapGpa(range, false),
                                new Op.Accept(range, false),
                                new Op.Touch(range, Access.WRITE, false))));
    }

    private static List<Op> use(List<Range> ranges, long unit) {
        List<Op> ops = new ArrayList<>();
        for (Range range : ranges) {
            ops.add(new Op.Use(range, unit));
        }
        return ops;
    }

    private static long value(Map<String, Long> parameters, String name) {
        Long value = parameters.get(name);
        if (value == null) {
            throw new IllegalArgumentException("parameter " + name + " has no value");
        }
        return value;
    }

    /** The part of a TD's memory that one vCPU takes care of. */
    record Share(GuestMemory memory, int vcpu, int vcpus) {
        /** The first {@code percent} of this vCPU's part, in whole pages. */
        List<Range> percent(long percent) {
            long pages = memory.unaccepted().stream().mapToLong(Range::pages).sum();
            // Whole 2M units per vCPU, so that no unit is accepted by two of them.
            long each = Addresses.alignUp((pages + vcpus - 1) / vcpus, Addresses.PAGES_PER_RANGE);
            long from = Math.min(pages, each * vcpu);
            long mine = Math.min(pages, from + each) - from;
            return slice(from, mine * percent / 100);
        }

        private List<Range> slice(long from, long count) {
            List<Range> slices = new ArrayList<>();
            long skip = from;
            long left = count;
            for (Range range : memory.unaccepted()) {
                long take = Math.min(Math.max(range.pages() - skip, 0), left);
                if (take > 0) {
                    long start = range.start() + (skip << Addresses.PAGE_SHIFT);
                    slices.add(new Range(start, start + (take << Addresses.PAGE_SHIFT)));
                    left -= take;
                }
                skip = Math.max(0, skip - range.pages());
            }
            return slices;
        }
    }
}
