// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.profile;

import java.util.List;
import java.util.stream.Collectors;

/**
 * A machine profile that describes no possible machine. Names each bad field and how to mend it.
 */
public final class InvalidProfileException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    /**
     * One bad field.
     *
     * @param field path in the profile, for example {@code nodes[1].memory[0]}
     * @param description what is wrong and what would be right
     */
    public record Violation(String field, String description) {
        @Override
        public String toString() {
            return field + ": " + description;
        }
    }

    private final transient List<Violation> violations;

    public InvalidProfileException(List<Violation> violations) {
        super(
                violations.stream()
                        .map(Violation::toString)
                        .collect(Collectors.joining("; ", "bad machine profile: ", "")));
        this.violations = List.copyOf(violations);
    }

    public InvalidProfileException(String field, String description) {
        this(List.of(new Violation(field, description)));
    }

    /** The bad fields; at least one. */
    public List<Violation> violations() {
        return violations;
    }
}
