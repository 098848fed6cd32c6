// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import dev.seamlab.control.call.Outlet;
import dev.seamlab.control.call.TrustDomainName;
import dev.seamlab.control.events.EventCursor;
import dev.seamlab.control.events.EventLog;
import dev.seamlab.machine.sched.Waits;
import dev.seamlab.v1.Event;
import dev.seamlab.v1.WatchTrustDomainsResponse;
import dev.seamlab.vmm.TdProgress;
import dev.seamlab.vmm.TdSnapshot;
import dev.seamlab.vmm.TdState;
import dev.seamlab.vmm.TrustDomain;
import dev.seamlab.vmm.Vmm;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What one watcher of all trust domains has been told, and what is still to be told. It looks at
 * all of them again and again and keeps one snapshot of each, so what happens faster than the
 * client reads is merged and takes no memory. One thread.
 *
 * <p>The log of events says where a client stands. A change can be seen before its event is in the
 * log, and a trust domain goes after its event is there. So after a look everything is told up to
 * the last event before the look, but not that a trust domain is gone which is being deleted: until
 * it is, the token stays before its delete. A client that comes back may therefore be told again
 * what it knows, and is never told too little.
 */
final class Feed {
    /** Position of a client that has not been told everything once. */
    private static final long NOWHERE = -1;

    /** How often a client hears of a new place in the log where nothing else is to be told. */
    private static final long BOOKMARK_NANOS = Duration.ofSeconds(10).toNanos();

    private static final TdProgress NONE = new TdProgress(0, 0, 0, 0, 0, 0, 0);

    private final Vmm vmm;
    private final Births births;
    private final TrustDomainMapper mapper;
    private final EventLog log;
    private final Outlet<WatchTrustDomainsResponse> outlet;

    private final Map<String, Told> told = new HashMap<>();
    private @Nullable EventCursor missed; // what a client that came back does not know
    private long position = NOWHERE;
    private String token = "";
    private long tokenNanos = Waits.nanoTime();
    private boolean spoke;

    /**
     * What the client knows of one trust domain.
     *
     * @param before last event that the client had heard of before it was being deleted
     * @param assumed whether the client was told by an earlier watch, unless an event says
     *     otherwise
     */
    private record Told(
            TrustDomain td, Birth birth, TdSnapshot snapshot, long before, boolean assumed) {
        long bound() {
            return snapshot.state() == TdState.DELETING ? before : Long.MAX_VALUE;
        }
    }

    Feed(
            Vmm vmm,
            Births births,
            TrustDomainMapper mapper,
            EventLog log,
            Outlet<WatchTrustDomainsResponse> outlet) {
        this.vmm = vmm;
        this.births = births;
        this.mapper = mapper;
        this.log = log;
        this.outlet = outlet;
    }

    /** Goes on behind an event that the client has heard of. Before the first look. */
    void resume(long after) {
        position = after;
        missed = log.after(after);
        for (TrustDomain td : vmm.list()) {
            TdSnapshot now = td.snapshot();
            if (!movesWithoutEvents(now)) {
                told.put(td.id(), new Told(td, births.of(td.id()), now, after, true));
            }
        }
        tellMissedEnds(log.last());
    }

    /** Progress is no event: whoever has made some may have made more than the client knows. */
    private static boolean movesWithoutEvents(TdSnapshot now) {
        return switch (now.state()) {
            case READY, RUNNING, PAUSED, STOPPING -> !now.progress().equals(NONE);
            case CREATING, CREATED, STOPPED, DELETING, FAILED -> false;
        };
    }

    /** What went while nobody watched cannot be looked at any more: its name has to do. */
    private void tellMissedEnds(long last) {
        EventCursor ends = log.after(position);
        while (ends.position() < last && outlet.isOpen()) {
            Event event = ends.poll();
            if (event == null) {
                outlet.rest(Duration.ofMillis(1)); // has its number, and is on its way
            } else if (isOfTrustDomain(event) && event.getNewState().equals("DELETED")) {
                send(
                        WatchTrustDomainsResponse.newBuilder()
                                .setTrustDomain(
                                        dev.seamlab.v1.TrustDomain.newBuilder()
                                                .setName(event.getSubject()))
                                .setDeleted(true));
            }
        }
    }

    /** Tells what is new. */
    void look() {
        long last = log.last();
        Set<String> stirred = stirred();
        Map<String, TrustDomain> present = new HashMap<>();
        vmm.list().forEach(td -> present.put(td.id(), td));
        tellGone(present);
        for (TrustDomain td : present.values()) {
            tellIfNew(td, stirred);
        }
        position = told.values().stream().mapToLong(Told::bound).reduce(last, Math::min);
        bookmark();
    }

    /** Trust domains that a client who came back knows nothing new of, because of an event. */
    private Set<String> stirred() {
        Set<String> ids = new HashSet<>();
        EventCursor events = missed;
        if (events != null) {
            for (Event event = events.poll(); event != null; event = events.poll()) {
                if (isOfTrustDomain(event)) {
                    ids.add(TrustDomainName.id(event.getSubject()));
                }
            }
            if (events.dropped() > 0) {
                ids.addAll(told.keySet());
            }
        }
        return ids;
    }

    private static boolean isOfTrustDomain(Event event) {
        return event.getType() == Event.Type.TRUST_DOMAIN_STATE
                || event.getType() == Event.Type.TRUST_DOMAIN_UPDATED;
    }

    private void tellGone(Map<String, TrustDomain> present) {
        for (Iterator<Told> each = told.values().iterator(); each.hasNext(); ) {
            Told old = each.next();
            if (!isSame(present.get(old.td().id()), old.td()) && outlet.awaitRoom()) {
                each.remove();
                send(
                        WatchTrustDomainsResponse.newBuilder()
                                .setTrustDomain(
                                        mapper.toProto(old.td(), old.snapshot(), old.birth()))
                                .setDeleted(true));
            }
        }
    }

    private void tellIfNew(TrustDomain td, Set<String> stirred) {
        Told known = told.get(td.id());
        TdSnapshot now = td.snapshot();
        if (known == null) {
            tell(new Told(td, births.of(td.id()), now, position, false));
        } else if (known.snapshot().revision() != now.revision()
                || (known.assumed() && stirred.contains(td.id()))) {
            boolean leaving = known.snapshot().state() == TdState.DELETING;
            tell(new Told(td, known.birth(), now, leaving ? known.before() : position, false));
        }
    }

    private void tell(Told now) {
        if (outlet.awaitRoom()) {
            told.put(now.td().id(), now);
            send(
                    WatchTrustDomainsResponse.newBuilder()
                            .setTrustDomain(mapper.toProto(now.td(), now.snapshot(), now.birth())));
        }
    }

    private void bookmark() {
        String now = position == NOWHERE ? "" : log.token(position);
        boolean due = spoke || token.isEmpty() || Waits.nanoTime() - tokenNanos >= BOOKMARK_NANOS;
        spoke = false;
        if (due && !now.equals(token) && outlet.awaitRoom()) {
            token = now;
            tokenNanos = Waits.nanoTime();
            send(WatchTrustDomainsResponse.newBuilder());
            spoke = false;
        }
    }

    private void send(WatchTrustDomainsResponse.Builder message) {
        if (outlet.awaitRoom()) {
            outlet.send(message.setResumeToken(token).build());
            spoke = true;
        }
    }

    /** Another trust domain may have taken the name, so equal names do not tell. */
    @SuppressWarnings("ReferenceEquality") // Identity is the question.
    private static boolean isSame(@Nullable TrustDomain one, TrustDomain other) {
        return one == other;
    }
}
