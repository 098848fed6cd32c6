// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import dev.seamlab.control.call.Rejection;
import dev.seamlab.v1.GuestOperation;
import dev.seamlab.v1.GuestOperations;
import dev.seamlab.v1.GuestRange;
import java.util.stream.Collectors;

/**
 * Guest operations as messages, written as the text that says the same: one reader then holds all
 * limits, and what a client sent can be shown to it.
 */
final class GuestOperationsText {
    private GuestOperationsText() {}

    static String of(GuestOperations program) {
        return program.getOperationsList().stream()
                .map(GuestOperationsText::of)
                .collect(Collectors.joining("; "));
    }

    private static String of(GuestOperation op) {
        return switch (op.getOperationCase()) {
            case ACCEPT ->
                    "accept "
                            + range(op.getAccept().getRange())
                            + (op.getAccept().getSmallPages() ? " 4k" : "");
            case TOUCH ->
                    (op.getTouch().getRead() ? "read " : "write ")
                            + range(op.getTouch().getRange())
                            + (op.getTouch().getShared() ? " shared" : "");
            case USE ->
                    "use "
                            + range(op.getUse().getRange())
                            + option(" unit ", op.getUse().getUnitBytes());
            case WALK -> {
                long skew = op.getWalk().getSkewPercent();
                yield (skew == 0 ? "random " : "zipf ")
                        + range(op.getWalk().getRange())
                        + " "
                        + op.getWalk().getTouches()
                        + option(" skew ", skew)
                        + option(" seed ", op.getWalk().getSeed());
            }
            case CONVERT ->
                    (op.getConvert().getToShared() ? "share " : "private ")
                            + range(op.getConvert().getRange());
            case EXTEND_RTMR ->
                    "rtmr " + op.getExtendRtmr().getIndex() + quoted(op.getExtendRtmr().getText());
            case REPORT_ADDRESS -> "report 0x" + Long.toHexString(op.getReportAddress());
            case SPIN_STEPS -> "spin " + op.getSpinSteps();
            case HALT -> "halt";
            case SHUTDOWN -> "shutdown";
            case FATAL_ERROR ->
                    "fatal "
                            + op.getFatalError().getCode()
                            + quoted(op.getFatalError().getMessage());
            case LOOP -> "loop " + op.getLoop().getTimes() + block(op.getLoop().getBody());
            case ON_VCPU -> "@" + op.getOnVcpu().getVcpu() + block(op.getOnVcpu().getBody());
            case OPERATION_NOT_SET ->
                    throw Rejection.invalid(
                            "trust_domain.guest_program.operations",
                            "has an operation that says nothing: set one of its fields");
        };
    }

    private static String range(GuestRange range) {
        return "0x"
                + Long.toHexString(range.getStart())
                + "..0x"
                + Long.toHexString(range.getEnd());
    }

    private static String option(String name, long value) {
        return value == 0 ? "" : name + value;
    }

    private static String block(GuestOperations body) {
        return " { " + of(body) + " }";
    }

    private static String quoted(String text) {
        return " \"" + text + "\"";
    }
}
