// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.events;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.rpc.Code;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.v1.Event;
import dev.seamlab.v1.ListEventsRequest;
import dev.seamlab.v1.ListEventsResponse;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class EventLogTest {
    private static final int KEPT = 8;

    private final EventLog log = new EventLog(KEPT);

    private void happen(int events) {
        for (int i = 0; i < events; i++) {
            log.append(Event.Type.HOST_LOG, "", "line " + (log.last() + 1));
        }
    }

    private static List<Long> drain(EventCursor cursor) {
        List<Long> numbers = new ArrayList<>();
        for (Event event = cursor.poll(); event != null; event = cursor.poll()) {
            assertThat(event.getText()).isEqualTo("line " + event.getSequence());
            numbers.add(event.getSequence());
        }
        return numbers;
    }

    @Test
    void cursor_thatKeepsUp_readsEachEventOnce() {
        EventCursor cursor = new EventCursor(log, 1);
        List<Long> read = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            happen(KEPT / 2);
            read.addAll(drain(cursor));
        }
        assertThat(read).hasSize(5 * KEPT / 2).isSorted().doesNotHaveDuplicates();
        assertThat(cursor.dropped()).isZero();
    }

    @Test
    void cursor_thatComesLate_readsWhatIsKept_andKnowsWhatItMissed() {
        EventCursor cursor = new EventCursor(log, 1);
        happen(3 * KEPT);
        assertThat(drain(cursor)).containsExactly(17L, 18L, 19L, 20L, 21L, 22L, 23L, 24L);
        assertThat(cursor.dropped()).isEqualTo(2L * KEPT);
        assertThat(cursor.position()).isEqualTo(24);
    }

    @Test
    void writers_atOnce_leaveTheLastEvents_eachInItsPlace() throws InterruptedException {
        List<Thread> writers = new ArrayList<>();
        for (int t = 0; t < 4; t++) {
            writers.add(
                    Thread.ofPlatform()
                            .start(() -> {
                                for (int i = 0; i < 1000; i++) {
                                    log.append(Event.Type.CPU, "", "");
                                }
                            }));
        }
        for (Thread writer : writers) {
            writer.join();
        }
        assertThat(log.last()).isEqualTo(4000);
        for (long number = log.oldest(); number <= log.last(); number++) {
            Event event = log.inPlaceOf(number);
            assertThat(event).isNotNull();
            assertThat(event.getSequence()).isEqualTo(number);
        }
    }

    @Test
    void token_ofAnotherRun_isOutOfRange() {
        happen(1);
        String token = EventTokens.write(log, 1);
        assertThat(EventTokens.read(log, "resume_token", token)).isEqualTo(1);
        EventLog restarted = new EventLog(KEPT);
        assertThatThrownBy(() -> EventTokens.read(restarted, "resume_token", token))
                .isInstanceOfSatisfying(
                        Rejection.class,
                        e -> {
                            assertThat(e.status().getCode()).isEqualTo(Code.OUT_OF_RANGE_VALUE);
                            assertThat(e.getMessage()).startsWith("resume_token");
                        });
    }

    @Test
    void token_ofTheFutureOrOfNothing_isInvalid() {
        for (String token : List.of("x", log.run(), log.run() + ".x", log.run() + ".1")) {
            assertThatThrownBy(() -> EventTokens.read(log, "resume_token", token))
                    .isInstanceOfSatisfying(
                            Rejection.class,
                            e ->
                                    assertThat(e.status().getCode())
                                            .isEqualTo(Code.INVALID_ARGUMENT_VALUE));
        }
    }

    @Test
    void pages_acrossAnOverrun_sayWhatWasMissed() {
        happen(KEPT);
        ListEventsRequest.Builder request = ListEventsRequest.newBuilder().setPageSize(2);
        ListEventsResponse first = EventPages.page(log, request.build());
        assertThat(first.getEventsList().stream().map(Event::getSequence)).containsExactly(1L, 2L);
        assertThat(first.getDropped()).isZero();
        happen(KEPT);
        ListEventsResponse second =
                EventPages.page(log, request.setPageToken(first.getNextPageToken()).build());
        assertThat(second.getEventsList().stream().map(Event::getSequence))
                .containsExactly(9L, 10L);
        assertThat(second.getDropped()).isEqualTo(6);
    }

    @Test
    void size_ofNothing_isRefused() {
        assertThatThrownBy(() -> new EventLog(0)).hasMessageContaining("seamlab.events.kept");
    }
}
