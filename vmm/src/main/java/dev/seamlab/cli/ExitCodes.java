// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import io.grpc.Status;

/** What the exit codes of the command mean. The same list stands at the end of its help. */
final class ExitCodes {
    static final int OK = 0;

    /** Our mistake: an error that nobody planned for. */
    static final int INTERNAL = 1;

    /** A bad flag, profile, firmware image or field. */
    static final int BAD_INPUT = 2;

    /** The input is fine, but the server does not do it now: missing, existing, wrong state. */
    static final int REFUSED = 3;

    /** A limit is reached: KeyIDs, memory, operations. */
    static final int EXHAUSTED = 4;

    /** The server cannot be reached, or did not answer in time. */
    static final int UNREACHABLE = 5;

    /** Something was checked and is not right: an audit with findings, a demo that leaks. */
    static final int CHECK_FAILED = 6;

    private ExitCodes() {}

    static int of(Status.Code code) {
        return switch (code) {
            case OK -> OK;
            case INVALID_ARGUMENT, OUT_OF_RANGE -> BAD_INPUT;
            case NOT_FOUND,
                    ALREADY_EXISTS,
                    FAILED_PRECONDITION,
                    ABORTED,
                    PERMISSION_DENIED,
                    UNAUTHENTICATED,
                    UNIMPLEMENTED ->
                    REFUSED;
            case RESOURCE_EXHAUSTED -> EXHAUSTED;
            case UNAVAILABLE, DEADLINE_EXCEEDED, CANCELLED -> UNREACHABLE;
            case INTERNAL, UNKNOWN, DATA_LOSS -> INTERNAL;
        };
    }
}
