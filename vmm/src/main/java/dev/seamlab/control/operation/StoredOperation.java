// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.operation;

import com.google.longrunning.Operation;
import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.rpc.Status;
import dev.seamlab.v1.TrustDomain.State;
import dev.seamlab.v1.TrustDomainOperationMetadata;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** One long-running operation, from the request until somebody deletes it or it is forgotten. */
public final class StoredOperation {
    /** How an operation ended: exactly one of the two is there. */
    private record Outcome(@Nullable Message response, @Nullable Status error) {}

    private final String name;
    private final String verb;
    private final String trustDomain;
    private final CompletableFuture<Outcome> outcome = new CompletableFuture<>();
    private volatile Supplier<State> state = () -> State.STATE_UNSPECIFIED;
    private volatile boolean cancelRequested;
    private volatile @Nullable Function<Boolean, Message> metadata;
    private volatile long pagesLeft;

    StoredOperation(String name, String verb, String trustDomain) {
        this.name = name;
        this.verb = verb;
        this.trustDomain = trustDomain;
    }

    /** Resource name, {@code operations/{id}}. */
    public String name() {
        return name;
    }

    /** What is done. */
    String verb() {
        return verb;
    }

    /** Resource name of the trust domain that it is about. */
    String trustDomain() {
        return trustDomain;
    }

    /** Completes, without a value that matters, when the operation is done. */
    public CompletableFuture<?> done() {
        return outcome;
    }

    public boolean isDone() {
        return outcome.isDone();
    }

    /** Whether somebody asked to give up; the work looks at this between its steps. */
    public boolean isCancelRequested() {
        return cancelRequested;
    }

    public void requestCancel() {
        cancelRequested = true;
    }

    /** Where the state of the trust domain comes from while the work goes on. */
    public void reportStateFrom(Supplier<State> source) {
        state = source;
    }

    /** Metadata of another kind than that of trust domains: given whether a cancel is asked for. */
    public void describeBy(Function<Boolean, Message> source) {
        metadata = source;
    }

    /** Pages that are still to be given back, as far as the work knows. */
    public void reportPagesLeft(long pages) {
        pagesLeft = pages;
    }

    public void succeed(Message response) {
        State last = state.get();
        state = () -> last;
        outcome.complete(new Outcome(response, null));
    }

    public void fail(Status error) {
        State last = state.get();
        state = () -> last;
        outcome.complete(new Outcome(null, error));
    }

    /** How it ended, in one line. */
    String summary() {
        Outcome end = outcome.getNow(null);
        String how =
                end == null
                        ? "under way"
                        : end.error() == null ? "done" : "failed: " + end.error().getMessage();
        return verb + " of " + trustDomain + ": " + how;
    }

    /** The operation as it stands. */
    public Operation toProto() {
        Operation.Builder proto =
                Operation.newBuilder().setName(name).setMetadata(Any.pack(metadata()));
        Outcome end = outcome.getNow(null);
        if (end != null) {
            proto.setDone(true);
            if (end.error() != null) {
                proto.setError(end.error());
            } else if (end.response() != null) {
                proto.setResponse(Any.pack(end.response()));
            }
        }
        return proto.build();
    }

    private Message metadata() {
        Function<Boolean, Message> own = metadata;
        return own != null
                ? own.apply(cancelRequested)
                : TrustDomainOperationMetadata.newBuilder()
                        .setTrustDomain(trustDomain)
                        .setVerb(verb)
                        .setState(state.get())
                        .setCancelRequested(cancelRequested)
                        .setPagesLeft(pagesLeft)
                        .build();
    }
}
