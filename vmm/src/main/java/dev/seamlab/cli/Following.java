// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import io.grpc.StatusRuntimeException;
import java.io.PrintWriter;
import java.time.Duration;
import java.util.Iterator;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Follows a stream whose messages say where it can go on, and goes on there when the connection
 * drops or the server begins anew. What fails before anything was heard fails the command.
 *
 * @param <M> messages
 */
final class Following<M> {
    private static final Duration FIRST_PAUSE = Duration.ofMillis(100);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(5);

    private final Function<String, Iterator<M>> open;
    private final Function<M, String> tokenOf;
    private final PrintWriter err;
    private String token;
    private Duration pause = FIRST_PAUSE;
    private boolean heard;
    private boolean cut;

    /**
     * @param open begins a stream behind a token; the empty token stands for the present
     * @param tokenOf token of a message; empty for none
     * @param token where to begin
     * @param err told when the stream was interrupted
     */
    Following(
            Function<String, Iterator<M>> open,
            Function<M, String> tokenOf,
            String token,
            PrintWriter err) {
        this.open = open;
        this.tokenOf = tokenOf;
        this.token = token;
        this.err = err;
    }

    /**
     * Tells all messages, until the server ends the stream in good order.
     *
     * @throws StatusRuntimeException where it cannot begin, or trying again would not help
     */
    void run(Consumer<M> tell) {
        while (true) {
            try {
                Iterator<M> messages = open.apply(token);
                while (messages.hasNext()) {
                    M message = messages.next();
                    hear(message);
                    tell.accept(message);
                }
                return;
            } catch (StatusRuntimeException e) {
                if (!heard) {
                    throw e;
                }
                recover(e);
            }
            rest();
        }
    }

    private void hear(M message) {
        heard = true;
        cut = false;
        pause = FIRST_PAUSE;
        String next = tokenOf.apply(message);
        token = next.isEmpty() ? token : next;
    }

    private void recover(StatusRuntimeException e) {
        switch (e.getStatus().getCode()) {
            case UNAVAILABLE, ABORTED -> say("the stream was cut off; goes on as soon as it can");
            case OUT_OF_RANGE -> {
                if (token.isEmpty()) {
                    throw e;
                }
                token = "";
                cut = false;
                say("some changes were missed; goes on with the present");
            }
            default -> throw e;
        }
    }

    /** Once for each interruption, however often it has to try. */
    private void say(String what) {
        if (!cut) {
            err.println("seamlab: " + what);
            err.flush();
        }
        cut = true;
    }

    private void rest() {
        try {
            Thread.sleep(pause);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CommandFailure(ExitCodes.UNREACHABLE, "interrupted");
        }
        pause = pause.multipliedBy(2);
        pause = pause.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : pause;
    }
}
