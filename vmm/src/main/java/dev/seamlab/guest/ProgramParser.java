// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.guest;

import dev.seamlab.guest.GuestMemory.Range;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.GuestMode.Access;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Reads the compact text form of guest programs.
 *
 * <pre>
 *   workload  = builtin | program
 *   builtin   = name { key "=" number }
 *   program   = op { ";" op }                       line ends count as ";", # starts a comment
 *   op        = "accept" range [ "4k" | "2m" ]      default 2m with fall-back to 4k
 *             | ( "touch" | "write" | "read" ) range [ "shared" ]
 *             | "use" range [ "unit" number ]       accept each unit (2m) right before touching it
 *             | ( "random" | "zipf" ) range number  touch so many pages at random
 *               [ "skew" number ] [ "seed" number ]   Zipf exponent in percent (99); seed (1)
 *             | ( "share" | "private" ) range       MapGPA
 *             | "rtmr" index text | "report" address
 *             | "spin" number | "halt" | "shutdown" | "fatal" number text
 *             | "loop" number "{" program "}"
 *             | "@" number "{" program "}"          only on this vCPU
 *   range     = number ".." number | number "+" number
 *   number    = decimal or 0x hex, with "_" and a suffix k, m or g
 *   text      = "..." in double quotes
 * </pre>
 */
final class ProgramParser {
    private static final int MAX_TEXT = 64 << 10;
    private static final int MAX_OPS = 10_000;
    private static final int MAX_NESTING = 8;
    private static final long MAX_COUNT = 1_000_000_000_000L;

    /** Zipf exponents in percent; 99 is what storage benchmarks use. */
    static final long USUAL_SKEW = 99;

    static final long MAX_SKEW = 400;

    /** No guest address is wider than 52 bits, of which the top one says "shared". */
    private static final long ADDRESS_LIMIT = 1L << 51;

    private final Scanner in;
    private int ops;

    private ProgramParser(String text) {
        this.in = new Scanner(text);
    }

    static Workload parse(String text) {
        if (text.length() > MAX_TEXT) {
            throw new InvalidProgramException(
                    MAX_TEXT, "the program is too long", "use loops; at most 65536 characters");
        }
        ProgramParser parser = new ProgramParser(text);
        parser.in.skip();
        if (parser.in.atEnd()) {
            throw parser.in.bad(
                    "the program is empty", "write operations, or one of " + Builtin.NAMES);
        }
        int start = parser.in.position();
        if (parser.in.peek() != '@') {
            String word = parser.in.word("an operation or the name of a built-in");
            if (BuiltinPrograms.isBuiltin(word)) {
                return parser.builtin(word);
            }
            parser.in.back(start);
        }
        List<Op> all = parser.block(0);
        if (!parser.in.atEnd()) {
            throw parser.in.bad("unexpected \"}\"", "remove it, or open the block before");
        }
        return new GuestProgram(text.strip(), all);
    }

    private Builtin builtin(String name) {
        Map<String, BuiltinPrograms.Parameter> known = BuiltinPrograms.row(name).parameters();
        Map<String, Long> values = new TreeMap<>();
        in.skip();
        while (!in.atEnd()) {
            int at = in.position();
            String key = in.word("a parameter");
            BuiltinPrograms.Parameter parameter = known.get(key);
            if (parameter == null) {
                throw new InvalidProgramException(
                        at,
                        name + " has no parameter \"" + key + "\"",
                        "it has " + new TreeMap<>(known).keySet());
            }
            in.expect('=');
            values.put(key, in.number(key, parameter.least(), parameter.most()));
            in.skip();
        }
        return new Builtin(name, values);
    }

    private List<Op> block(int depth) {
        List<Op> list = new ArrayList<>();
        in.separators();
        while (!in.atEnd() && in.peek() != '}') {
            list.add(op(depth));
            in.skip();
            if (!in.atEnd() && in.peek() != '}') {
                in.separator();
                in.separators();
            }
        }
        return list;
    }

    private Op op(int depth) {
        if (++ops > MAX_OPS) {
            throw in.bad("more than " + MAX_OPS + " operations", "use loops");
        }
        int at = in.position();
        if (in.peek() == '@') {
            in.expect('@');
            int vcpu = (int) in.number("a vCPU index", 0, 65_535);
            return new Op.OnVcpu(vcpu, nested(depth));
        }
        String word = in.word("an operation");
        return switch (word) {
            case "accept" -> accept();
            case "touch", "write" -> touch(Access.WRITE);
            case "read" -> touch(Access.READ);
            case "use" -> use();
            case "random" -> walk(false);
            case "zipf" -> walk(true);
            case "share" -> new Op.MapGpa(range(), true);
            case "private" -> new Op.MapGpa(range(), false);
            case "rtmr" -> new Op.RtmrExtend((int) in.number("an RTMR index", 0, 3), in.quoted());
            case "report" -> new Op.Report(address());
            case "spin" -> new Op.Spin(in.number("a count", 1, MAX_COUNT));
            case "halt" -> new Op.Halt();
            case "shutdown" -> new Op.Shutdown();
            case "fatal" ->
                    new Op.FatalError(in.number("an error code", 0, MAX_COUNT), in.quoted());
            case "loop" -> new Op.Loop(in.number("a count", 1, MAX_COUNT), nested(depth));
            default ->
                    throw new InvalidProgramException(
                            at,
                            "unknown operation \"" + word + "\"",
                            "known are accept, touch, write, read, use, random, zipf, share,"
                                    + " private, rtmr, report, spin, halt, shutdown, fatal, loop"
                                    + " and @N, or alone"
                                    + " one of "
                                    + Builtin.NAMES);
        };
    }

    private List<Op> nested(int depth) {
        if (depth + 1 > MAX_NESTING) {
            throw in.bad("blocks nest deeper than " + MAX_NESTING, "flatten the program");
        }
        in.expect('{');
        List<Op> body = block(depth + 1);
        if (body.isEmpty()) {
            throw in.bad("the block is empty", "put an operation into it, or remove it");
        }
        in.expect('}');
        return body;
    }

    private Op accept() {
        Range range = range();
        return switch (in.option("4k", "2m")) {
            case "4k" -> new Op.Accept(range, false);
            default -> new Op.Accept(range, true);
        };
    }

    private Op use() {
        Range range = range();
        if (in.option("unit").isEmpty()) {
            return new Op.Use(range);
        }
        in.skip();
        int at = in.position();
        long unit = in.number("a unit", Addresses.PAGE_SIZE, Addresses.GIB);
        if (Long.bitCount(unit) != 1) {
            throw new InvalidProgramException(
                    at, "a unit of " + unit + " bytes", "use a power of two, for example 4m");
        }
        return new Op.Use(range, unit);
    }

    private Op walk(boolean zipf) {
        Range range = range();
        long touches = in.number("a number of touches", 1, MAX_COUNT);
        long skew = zipf ? USUAL_SKEW : 0;
        if (zipf && !in.option("skew").isEmpty()) {
            skew = in.number("a skew in percent", 1, MAX_SKEW);
        }
        long seed = in.option("seed").isEmpty() ? 1 : in.number("a seed", 0, Long.MAX_VALUE >> 1);
        return new Op.Walk(range, touches, skew, seed);
    }

    private Op touch(Access access) {
        Range range = range();
        return new Op.Touch(range, access, !in.option("shared").isEmpty());
    }

    private long address() {
        in.skip();
        int at = in.position();
        long address = in.number("an address", 0, ADDRESS_LIMIT - 1);
        if (!Addresses.isAligned(address, Addresses.PAGE_SIZE)) {
            throw new InvalidProgramException(
                    at, Addresses.show(address) + " is not 4 KiB aligned", "use a page's address");
        }
        return address;
    }

    private Range range() {
        in.skip();
        int at = in.position();
        long start = address();
        boolean bySize = in.rangeOperator();
        long second = in.number(bySize ? "a size" : "an end address", 1, ADDRESS_LIMIT);
        long end = bySize ? start + second : second;
        if (end <= start || end > ADDRESS_LIMIT || !Addresses.isAligned(end, Addresses.PAGE_SIZE)) {
            throw new InvalidProgramException(
                    at,
                    Addresses.show(start)
                            + ".."
                            + Addresses.show(end)
                            + " is not a range of whole pages",
                    "the end must be 4 KiB aligned and above the start");
        }
        return new Range(start, end);
    }
}
