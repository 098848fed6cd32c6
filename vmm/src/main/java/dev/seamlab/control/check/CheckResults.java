// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.check;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import com.google.protobuf.util.Durations;
import com.google.protobuf.util.JsonFormat;
import dev.seamlab.check.Rule;
import dev.seamlab.v1.CheckResult;
import dev.seamlab.v1.CheckResult.Verdict;
import dev.seamlab.v1.Counterexample;
import dev.seamlab.v1.ScheduleStep;
import java.util.Comparator;
import java.util.List;

/** Reads what {@code seamlab check --json} writes. */
final class CheckResults {
    private CheckResults() {}

    static List<CheckResult> read(String json) {
        Struct.Builder document = Struct.newBuilder();
        try {
            JsonFormat.parser().merge(json, document);
        } catch (InvalidProtocolBufferException e) {
            throw new IllegalStateException("a check wrote what is no JSON", e);
        }
        return list(document.build(), "reports").stream()
                .map(Value::getStructValue)
                .map(CheckResults::result)
                .toList();
    }

    private static CheckResult result(Struct report) {
        CheckResult.Builder result =
                CheckResult.newBuilder()
                        .setVariant(text(report, "variant"))
                        .setSchedules((long) number(report, "schedulesInAll"))
                        .setElapsed(Durations.fromNanos((long) number(report, "nanos")));
        if (report.containsFields("counterexample")) {
            Struct example = report.getFieldsOrThrow("counterexample").getStructValue();
            return result.setVerdict(Verdict.VIOLATED)
                    .setCounterexample(counterexample(example))
                    .build();
        }
        boolean complete = report.getFieldsOrThrow("complete").getBoolValue();
        return result.setVerdict(complete ? Verdict.EXHAUSTED_CLEAN : Verdict.CLEAN_SO_FAR).build();
    }

    private static Counterexample counterexample(Struct example) {
        Counterexample.Builder told =
                Counterexample.newBuilder().setReplay(text(example, "replay"));
        list(example, "findings").stream()
                .map(Value::getStructValue)
                .min(Comparator.comparing(finding -> Rule.valueOf(text(finding, "rule"))))
                .ifPresent(finding -> {
                    Rule rule = Rule.valueOf(text(finding, "rule"));
                    told.setRule(rule.name())
                            .setDescription(rule.meaning() + ": " + text(finding, "text"));
                });
        for (Value line : list(example, "lines")) {
            Struct step = line.getStructValue();
            int thread = (int) number(step, "thread");
            // Findings stand between the steps, under no thread; they are told above.
            if (thread >= 0) {
                told.addSteps(
                        ScheduleStep.newBuilder().setThread(thread).setText(text(step, "text")));
            }
        }
        return told.build();
    }

    private static String text(Struct of, String field) {
        return of.getFieldsOrThrow(field).getStringValue();
    }

    private static double number(Struct of, String field) {
        return of.getFieldsOrThrow(field).getNumberValue();
    }

    private static List<Value> list(Struct of, String field) {
        return of.getFieldsOrThrow(field).getListValue().getValuesList();
    }
}
