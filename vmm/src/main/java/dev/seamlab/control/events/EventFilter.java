// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.events;

import dev.seamlab.control.call.Filter;
import dev.seamlab.v1.Event;
import java.util.Arrays;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/** Which events. */
final class EventFilter {
    private EventFilter() {}

    /** What a filter wants; all for an empty one. */
    static Predicate<Event> of(String filter) {
        Predicate<Event> all = event -> true;
        for (Filter.Term term : Filter.terms(filter, "type=CPU")) {
            all = all.and(of(term.equality()));
        }
        return all;
    }

    private static Predicate<Event> of(Filter.Term term) {
        return switch (term.key()) {
            case "type" -> {
                Event.Type wanted = type(term.value());
                yield event -> event.getType() == wanted;
            }
            case "subject" -> event -> event.getSubject().equals(term.value());
            default ->
                    throw Filter.refuse("events have no " + term.key() + ": use type or subject");
        };
    }

    private static Event.Type type(String name) {
        return Arrays.stream(Event.Type.values())
                .filter(type ->
                        type != Event.Type.UNRECOGNIZED && type != Event.Type.TYPE_UNSPECIFIED)
                .filter(type -> type.name().equals(name.toUpperCase(Locale.ROOT)))
                .findFirst()
                .orElseThrow(() ->
                        Filter.refuse(
                                "there is no type "
                                        + name
                                        + ": use one of "
                                        + Arrays.stream(Event.Type.values())
                                                .filter(type ->
                                                        type != Event.Type.UNRECOGNIZED
                                                                && type
                                                                        != Event.Type
                                                                                .TYPE_UNSPECIFIED)
                                                .map(Event.Type::name)
                                                .collect(Collectors.joining(", "))));
    }
}
