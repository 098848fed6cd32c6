// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.explain;

import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Explains status words. A status without a row of its own is explained by its class. */
public final class StatusGuide {
    private static final Advice UNKNOWN =
            new Advice(
                    "",
                    "The module defines no such status.",
                    "Check the word: bits 47:40 are the class, bits 39:32 the name within it.");

    /** What a row says. */
    private record Advice(String name, String cause, String next) {}

    private final Map<Integer, Advice> classes = new HashMap<>();
    private final Map<StatusCode, Advice> statuses = new EnumMap<>(StatusCode.class);

    private StatusGuide() {
        Map<?, ?> all = Knowledge.read("statuses.yaml");
        Knowledge.map(all.get("classes"), "classes")
                .forEach((number, row) -> {
                    Map<?, ?> fields = Knowledge.map(row, "class " + number);
                    classes.put(
                            Integer.decode(String.valueOf(number)),
                            advice(Knowledge.text(fields, "name"), fields));
                });
        Knowledge.map(all.get("statuses"), "statuses")
                .forEach((name, row) -> {
                    Map<?, ?> fields = Knowledge.map(row, "status " + name);
                    StatusCode code = StatusCode.valueOf(String.valueOf(name));
                    statuses.put(code, advice(code.name(), fields));
                });
    }

    private static Advice advice(String name, Map<?, ?> fields) {
        return new Advice(name, Knowledge.text(fields, "cause"), Knowledge.text(fields, "next"));
    }

    /** Read when somebody asks, once. */
    private static final class Instance {
        static final StatusGuide GUIDE = new StatusGuide();
    }

    /** The guide. */
    public static StatusGuide get() {
        return Instance.GUIDE;
    }

    /** Says what a status word means. Any word has an explanation. */
    public Explanation explain(long word) {
        StatusCode code = StatusCode.of(word);
        int number = Status.statusClass(word);
        @Nullable Advice ofClass = classes.get(number);
        @Nullable Advice own = code == null ? null : statuses.get(code);
        boolean fromSoftware = number == Status.statusClass(Status.SOFTWARE_ERROR);
        Advice advice =
                own != null
                        ? own
                        : ofClass != null && (code != null || fromSoftware) ? ofClass : UNKNOWN;
        return new Explanation(
                word,
                code == null ? "" : code.name(),
                number,
                ofClass == null ? "" : ofClass.name(),
                Severity.of(word),
                Status.detail(word),
                operand(code, word),
                advice.cause(),
                advice.next());
    }

    /**
     * The status word that a person means: a number, hex or decimal, or the name of a status, with
     * an operand or without ({@code OPERAND_BUSY|SEPT_TREE}).
     */
    public static Optional<Long> parse(String text) {
        String clean = text.strip().replace("_", "");
        try {
            if (clean.regionMatches(true, 0, "0x", 0, 2)) {
                return Optional.of(Long.parseUnsignedLong(clean.substring(2), 16));
            }
            if (!clean.isEmpty() && Character.isDigit(clean.charAt(0))) {
                return Optional.of(Long.parseUnsignedLong(clean));
            }
            return clean.startsWith("-") ? Optional.of(Long.parseLong(clean)) : named(text);
        } catch (NumberFormatException e) {
            return Optional.empty();
        }
    }

    private static Optional<Long> named(String text) {
        int bar = text.indexOf('|');
        String name = (bar < 0 ? text : text.substring(0, bar)).strip().toUpperCase(Locale.ROOT);
        String bare = name.startsWith("TDX_") ? name.substring("TDX_".length()) : name;
        for (StatusCode code : StatusCode.values()) {
            if (code.name().equals(bare)) {
                return bar < 0
                        ? Optional.of(code.word())
                        : operandNamed(text.substring(bar + 1)).map(id -> code.word() | id);
            }
        }
        return Optional.empty();
    }

    private static Optional<Long> operandNamed(String text) {
        String name = text.strip().toUpperCase(Locale.ROOT);
        for (Operand operand : Operand.values()) {
            if (operand.name().equals(name)) {
                return Optional.of((long) operand.id());
            }
        }
        return Optional.empty();
    }

    /** Whether a status has a row of its own. */
    boolean hasRow(StatusCode code) {
        return statuses.containsKey(code);
    }

    private static String operand(@Nullable StatusCode code, long word) {
        if (code == null || !namesOperand(code, Status.detail(word))) {
            return "";
        }
        @Nullable Operand operand = Operand.of((int) Status.detail(word));
        return operand == null ? "" : operand.name();
    }

    /**
     * Whether the low half is an operand id. Only statuses about an operand use id 0, RAX, on
     * purpose; in others 0 means nothing, and some have another detail there (facts: module ABI
     * section 3.3).
     */
    private static boolean namesOperand(StatusCode code, long detail) {
        return switch (code) {
            case OPERAND_INVALID, OPERAND_ADDR_RANGE_ERROR, OPERAND_BUSY -> true;
            case SUCCESS,
                    OP_STATE_INCORRECT,
                    VCPU_STATE_INCORRECT,
                    PAGE_ALREADY_ACCEPTED,
                    PAGE_SIZE_MISMATCH,
                    PAMT_PAGE_NOT_EMPTY,
                    INTERRUPTED_PAMT,
                    INCONSISTENT_MSR,
                    INCORRECT_MSR_VALUE,
                    L2_SEPT_WALK_FAILED,
                    L2_SEPT_ENTRY_NOT_FREE,
                    X2APIC_ID_NOT_UNIQUE,
                    UPDATE_COMPATIBILITY_SENSITIVE,
                    EVENT_FILTER_INVALID,
                    EVENT_FILTER_ORDER_INVALID ->
                    false;
            default ->
                    detail != 0
                            && switch (Status.statusClass(code.word())) {
                                case 0x02, 0x03, 0x0B, 0x0C -> true;
                                default -> false;
                            };
        };
    }
}
