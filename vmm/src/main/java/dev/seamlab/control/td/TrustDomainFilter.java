// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import dev.seamlab.control.call.Filter;
import dev.seamlab.v1.TrustDomain.State;
import dev.seamlab.vmm.TrustDomain;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.BiPredicate;
import java.util.stream.Collectors;

/** Which trust domains a list wants: by state, size and label. */
final class TrustDomainFilter {
    private static final String LABEL = "labels.";
    private static final List<State> STATES =
            Arrays.stream(State.values())
                    .filter(s -> s != State.UNRECOGNIZED && s != State.STATE_UNSPECIFIED)
                    .toList();

    private TrustDomainFilter() {}

    /**
     * What a filter wants; all for an empty one.
     *
     * @throws dev.seamlab.control.call.Rejection where it asks for what a trust domain does not
     *     have
     */
    static BiPredicate<TrustDomain, Notes> of(String filter) {
        BiPredicate<TrustDomain, Notes> all = (td, notes) -> true;
        for (Filter.Term term : Filter.terms(filter, "state=RUNNING")) {
            all = all.and(of(term));
        }
        return all;
    }

    private static BiPredicate<TrustDomain, Notes> of(Filter.Term term) {
        if (term.key().startsWith(LABEL)) {
            String key = term.key().substring(LABEL.length());
            String value = term.equality().value();
            return (td, notes) -> value.equals(notes.labels().get(key));
        }
        return switch (term.key()) {
            case "state" -> {
                State wanted = state(term.equality().value());
                yield (td, notes) -> TrustDomainMapper.toProto(td.state()) == wanted;
            }
            case "vcpu_count" -> {
                long wanted = term.number();
                yield (td, notes) -> term.holds(td.spec().vcpus(), wanted);
            }
            case "memory_bytes" -> {
                long wanted = term.number();
                yield (td, notes) -> term.holds(td.spec().memoryBytes(), wanted);
            }
            default ->
                    throw Filter.refuse(
                            "trust domains have no "
                                    + term.key()
                                    + ": use state, vcpu_count, memory_bytes or labels.KEY");
        };
    }

    private static State state(String name) {
        String upper = name.toUpperCase(Locale.ROOT);
        return STATES.stream()
                .filter(s -> s.name().equals(upper))
                .findFirst()
                .orElseThrow(() ->
                        Filter.refuse(
                                "there is no state "
                                        + name
                                        + ": use one of "
                                        + STATES.stream()
                                                .map(State::name)
                                                .collect(Collectors.joining(", "))));
    }
}
