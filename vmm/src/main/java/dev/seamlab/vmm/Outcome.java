// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

/**
 * What came of a request: a value, or the reason why not.
 *
 * @param <T> what a request yields when it is granted
 */
public sealed interface Outcome<T> {
    /** Granted. */
    record Done<T>(T value) implements Outcome<T> {}

    /** Not granted; the host is as it was. */
    record Refused<T>(Refusal refusal) implements Outcome<T> {}

    /** Granted with this value. */
    static <T> Outcome<T> done(T value) {
        return new Done<>(value);
    }

    /** Not granted for this reason. */
    static <T> Outcome<T> refused(Refusal refusal) {
        return new Refused<>(refusal);
    }

    /**
     * The value, for callers that know the request was granted.
     *
     * @throws IllegalStateException with the refusal's message where it was not
     */
    default T orThrow() {
        return switch (this) {
            case Done<T>(T value) -> value;
            case Refused<T>(Refusal refusal) -> throw new IllegalStateException(refusal.message());
        };
    }
}
