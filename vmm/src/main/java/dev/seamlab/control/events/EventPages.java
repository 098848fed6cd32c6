// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.events;

import dev.seamlab.control.call.PageToken;
import dev.seamlab.v1.Event;
import dev.seamlab.v1.ListEventsRequest;
import dev.seamlab.v1.ListEventsResponse;
import java.util.function.Predicate;

/** Lists: which events, and where a page begins. */
final class EventPages {
    private static final int DEFAULT_PAGE = 100;
    private static final PageToken TOKENS = PageToken.of("ListEvents");

    private EventPages() {}

    static ListEventsResponse page(EventLog log, ListEventsRequest request) {
        String filter = request.getFilter().strip();
        Predicate<Event> wanted = EventFilter.of(filter);
        String token = TOKENS.read(request.getPageToken(), filter);
        long seen = token.isEmpty() ? 0 : EventTokens.read(log, "page_token", token);
        int size = request.getPageSize() == 0 ? DEFAULT_PAGE : request.getPageSize();
        EventCursor cursor = new EventCursor(log, seen + 1);
        ListEventsResponse.Builder page = ListEventsResponse.newBuilder();
        long lastShown = seen;
        long dropped = 0;
        for (Event event = cursor.poll(); event != null; event = cursor.poll()) {
            if (!wanted.test(event)) {
                continue;
            }
            if (page.getEventsCount() == size) {
                return page.setNextPageToken(
                                TOKENS.write(EventTokens.write(log, lastShown), filter))
                        .setDropped(dropped)
                        .build();
            }
            page.addEvents(event);
            lastShown = event.getSequence();
            dropped = cursor.dropped();
        }
        return page.setDropped(cursor.dropped()).build();
    }
}
