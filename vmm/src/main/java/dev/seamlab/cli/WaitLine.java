// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.longrunning.Operation;
import com.google.protobuf.Any;
import dev.seamlab.v1.TrustDomainOperationMetadata;
import java.io.PrintWriter;

/**
 * One line that tells how far an operation is, rewritten in place; silent where nobody looks. It is
 * gone when the operation is done.
 */
final class WaitLine {
    private static final String CLEAR = "\r\u001b[2K";
    private static final String[] WHEEL = {"|", "/", "-", "\\"};

    private final PrintWriter err;
    private final boolean screen;
    private int turns;

    WaitLine(PrintWriter err, boolean screen) {
        this.err = err;
        this.screen = screen;
    }

    void show(Operation operation) {
        if (!screen) {
            return;
        }
        err.print(CLEAR);
        if (!operation.getDone()) {
            err.print(WHEEL[turns++ % WHEEL.length] + " " + text(operation));
        }
        err.flush();
    }

    /** What an operation is about, and how far it is. */
    static String text(Operation operation) {
        Any any = operation.getMetadata();
        if (!any.is(TrustDomainOperationMetadata.class)) {
            return operation.getName();
        }
        TrustDomainOperationMetadata metadata =
                Client.unpack(any, TrustDomainOperationMetadata.class);
        return metadata.getVerb()
                + " "
                + MemoryStory.shortName(metadata.getTrustDomain())
                + ": "
                + metadata.getState().name()
                + (metadata.getPagesLeft() > 0
                        ? ", " + metadata.getPagesLeft() + " pages left"
                        : "");
    }
}
