// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.machine.sched.Act;
import dev.seamlab.machine.sched.LogicalThread;
import dev.seamlab.machine.sched.SteppedRun;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Every schedule that can end differently: depth-first, with dynamic partial-order reduction by
 * source sets (Abdulla, Aronis, Jonsson and Sagonas, POPL 2014) and sleep sets (Godefroid).
 *
 * <p>Two steps are dependent if they touch the same word and one of them writes it; a
 * read-modify-write that changed nothing counts as a read. Schedules that differ only in the order
 * of independent steps end alike, so one of them stands for all. After each step the last dependent
 * steps of other threads are looked for that do not happen before it anyway: there the order could
 * have been the other way round, and that branch is noted to be taken later. A sleep set holds
 * threads whose next step was already tried from an equivalent state.
 *
 * <p>Taking a lock is only possible while it is free, so it never swaps places with the release
 * before it, only with the taking before that. Where a thread could not move at the branch, every
 * thread that could is tried.
 *
 * <p>The beginning that a schedule shares with the one before it is not searched again: where both
 * work on the same arrays, its steps are taken without asking, and what is known of them stands. An
 * array that turns up for the first time in such a schedule may have been made by those steps, so
 * that schedule is void and run once more with everything looked at.
 *
 * <p>Sound for programs whose threads end in every schedule. A thread that retries after a pause
 * does so only after somebody else has moved, so of such programs the fair schedules are tried, and
 * {@link #isComplete} says no.
 */
final class Dpor implements Search {
    private static final int WRITES = 1;

    /** Takes a lock, and could not have done so while it was held. */
    private static final int WAITS = 2;

    private static final int ID_SHIFT = 2;
    private static final int NONE = LastUses.NONE;

    /** Schedules that may be void before every eighth of them is too many. */
    private static final int MOST_VOID = 64;

    private static final Object WAKES = new Object();

    private final int n;
    private final LastUses uses;

    // One row per step of the present schedule: the state before it, and the step.
    private int[] enabled = new int[1024];
    private int[] backtrack = new int[1024];
    private int[] done = new int[1024];
    private int[] sleep = new int[1024];
    private int[] chosen = new int[1024];
    private int[] access = new int[1024];
    private long[] signatures = new long[1024];
    private int[] @Nullable [] more = new int[1024] @Nullable [];
    private int[] @Nullable [] asleep = new int[1024] @Nullable [];
    private int[] clocks;
    private int[] counts;
    private int depth;
    private int finished;
    private int prefix;
    private int fresh;
    private boolean draining;
    private boolean paused;

    // Schedules that share their beginning with the one before.
    private int prefixAtBegin;
    private boolean quick;
    private boolean isVoid;
    private boolean mayBeQuick;
    private int further;
    private long begun;
    private long voided;
    private boolean[] flows = new boolean[1024];

    /** Whether the step that is finished now took a lock without waiting for it. */
    private boolean tries;

    // By thread.
    private final int[][] clock;
    private final int[] count;
    private final int[] pendingId;

    Dpor(int threads) {
        n = threads;
        clock = new int[n][n];
        count = new int[n];
        pendingId = new int[n];
        clocks = new int[1024 * n];
        counts = new int[1024 * n];
        uses = new LastUses(n);
    }

    @Override
    public String name() {
        return "exhaustive";
    }

    @Override
    public boolean isComplete() {
        return !paused;
    }

    @Override
    public String covered() {
        return paused ? "all fair schedules" : "all schedules";
    }

    @Override
    public boolean wasRedundant() {
        return draining;
    }

    @Override
    public void begin(boolean sameWords) {
        depth = 0;
        further = 0;
        draining = false;
        isVoid = false;
        prefixAtBegin = prefix;
        begun++;
        // Steps before this one are those of the last schedule, and so are their races.
        fresh = Math.max(0, prefix - 1);
        quick = sameWords && mayBeQuick && prefix > 1 && voided <= MOST_VOID + begun / 8;
        mayBeQuick = true;
        if (quick) {
            rewind(fresh);
            finished = fresh;
            return;
        }
        finished = 0;
        uses.clear();
        Arrays.fill(count, 0);
        for (int[] row : clock) {
            Arrays.fill(row, 0);
        }
    }

    /** All that is known by thread and by word is as it was before a step was finished. */
    private void rewind(int d) {
        uses.rewind(d);
        System.arraycopy(counts, d * n, count, 0, n);
        int missing = (1 << n) - 1;
        for (int e = d - 1; e >= 0 && missing != 0; e--) {
            int t = chosen[e];
            if ((missing >>> t & 1) != 0) {
                System.arraycopy(clocks, e * n, clock[t], 0, n);
                missing &= ~(1 << t);
            }
        }
        for (int t = 0; t < n; t++) {
            if ((missing >>> t & 1) != 0) {
                Arrays.fill(clock[t], 0);
            }
        }
    }

    @Override
    public int further() {
        return further;
    }

    @Override
    public int choose(SteppedRun run) {
        int mask = run.enabled();
        further = 0;
        if (draining) {
            if (mask == 0) {
                return SteppedRun.STOP;
            }
            // Other schedules stand for this one: to its end without a look.
            further = Integer.MAX_VALUE;
            return prefer(run, mask);
        }
        if (quick && depth < prefixAtBegin - 1) {
            return goTheKnownWay(run, mask);
        }
        if (finished < depth) {
            finish(run);
        }
        announce(run);
        uses.begins(depth);
        if (isVoid) {
            draining = true;
            return mask == 0 ? SteppedRun.STOP : prefer(run, mask);
        }
        if (mask == 0) {
            return SteppedRun.STOP;
        }
        if (depth == prefix) {
            if (!branch(run, mask)) {
                return prefer(run, mask);
            }
            prefix++;
        } else if (enabled[depth] != mask || run.steps() != depth) {
            throw strayed();
        }
        int next = chosen[depth];
        long now = signature(run.thread(next));
        if (depth + 1 < prefix && signatures[depth] != now) {
            throw strayed();
        }
        signatures[depth] = now;
        take(run, next);
        depth++;
        return next;
    }

    /** Up to the next change of thread, or the next wait for a condition. */
    private int goTheKnownWay(SteppedRun run, int mask) {
        int next = chosen[depth];
        LogicalThread thread = run.thread(next);
        if (hasWord(thread.act())) {
            pendingId[next] = id(thread.where(), thread.at());
        }
        if (run.steps() != depth
                || enabled[depth] != mask
                || signatures[depth] != signature(thread)) {
            throw strayed();
        }
        int to = depth + 1;
        while (flows[depth] && to < prefixAtBegin - 1 && chosen[to] == next && flows[to]) {
            to++;
        }
        further = to - depth - 1;
        depth = to;
        return next;
    }

    private static boolean hasWord(Act act) {
        return switch (act) {
            case AWAIT, SLEEP, PAUSE, END -> false;
            default -> true;
        };
    }

    /** Tells steps of one thread apart, well enough to notice when a replay goes astray. */
    private long signature(LogicalThread thread) {
        return (long) thread.act().ordinal() << 40
                | (long) thread.index() << 32
                | (hasWord(thread.act()) ? pendingId[thread.index()] : 0);
    }

    private static IllegalStateException strayed() {
        return new IllegalStateException(
                "the same beginning led elsewhere: a schedule left something behind, or something"
                        + " moves that the scheduling seam does not see");
    }

    /** A new state. Returns false where all that could be done was done elsewhere. */
    private boolean branch(SteppedRun run, int mask) {
        reserve();
        int d = depth;
        enabled[d] = mask;
        done[d] = 0;
        sleep[d] = 0;
        for (int t = 0; t < n; t++) {
            asleep[d * n + t] = null;
        }
        if (d > 0) {
            int candidates = (sleep[d - 1] | done[d - 1]) & ~(1 << chosen[d - 1]);
            for (int t = 0; t < n; t++) {
                if ((candidates >>> t & 1) != 0) {
                    int[] its = asleep[(d - 1) * n + t];
                    if (its != null && isIndependent(its, d - 1)) {
                        sleep[d] |= 1 << t;
                        asleep[d * n + t] = its;
                    }
                }
            }
        }
        int awake = mask & ~sleep[d];
        if (awake == 0) {
            draining = true;
            return false;
        }
        chosen[d] = prefer(run, awake);
        backtrack[d] = 1 << chosen[d];
        return true;
    }

    /** The thread that moved last, if it may: so the first schedule has no needless switches. */
    private static int prefer(SteppedRun run, int mask) {
        int last = run.last();
        if (last >= 0 && (mask >>> last & 1) != 0 && run.thread(last).act() != Act.PAUSE) {
            return last;
        }
        for (int t = 0; t < run.size(); t++) {
            if ((mask >>> t & 1) != 0 && run.thread(t).act() != Act.PAUSE) {
                return t;
            }
        }
        return Integer.numberOfTrailingZeros(mask);
    }

    /** Numbers the words that threads stand at, as soon as they do. */
    private void announce(SteppedRun run) {
        if (run.last() < 0 || (quick && depth == prefixAtBegin - 1)) {
            for (int t = 0; t < n; t++) {
                announce(run.thread(t));
            }
        } else {
            announce(run.thread(run.last()));
        }
    }

    private void announce(LogicalThread thread) {
        switch (thread.act()) {
            case AWAIT, SLEEP -> {
                for (int i = 0; i < thread.reads(); i++) {
                    id(thread.readWhere(i), thread.readAt(i));
                }
            }
            case PAUSE -> paused = true;
            case END -> pendingId[thread.index()] = NONE;
            default -> pendingId[thread.index()] = id(thread.where(), thread.at());
        }
    }

    private int id(Object array, int place) {
        int arrays = uses.arraysEverSeen();
        int id = uses.number(array, place);
        isVoid |= quick && uses.arraysEverSeen() > arrays;
        return id;
    }

    /** Notes what the chosen thread is about to touch. */
    private void take(SteppedRun run, int t) {
        LogicalThread thread = run.thread(t);
        more[depth] = null;
        flows[depth] = hasWord(thread.act());
        access[depth] = NONE;
        int word = pendingId[t] << ID_SHIFT;
        switch (thread.act()) {
            case READ -> access[depth] = word;
            case WRITE, UPDATE, TRY_LOCK, UNLOCK, ENQUEUE -> access[depth] = word | WRITES;
            case LOCK -> access[depth] = word | WRITES | WAITS;
            case WAKE -> {
                access[depth] = word | WRITES;
                more[depth] = new int[] {id(WAKES, 0) << ID_SHIFT | WRITES};
            }
            case AWAIT, SLEEP -> {
                boolean sleeps = thread.act() == Act.SLEEP;
                int[] reads = new int[thread.reads() + (sleeps ? 1 : 0)];
                for (int i = 0; i < thread.reads(); i++) {
                    reads[i] = id(thread.readWhere(i), thread.readAt(i)) << ID_SHIFT;
                }
                if (sleeps) {
                    reads[reads.length - 1] = id(WAKES, 0) << ID_SHIFT | WRITES;
                }
                more[depth] = reads;
            }
            case PAUSE, END -> {}
        }
        System.arraycopy(count, 0, counts, depth * n, n);
    }

    /** The step taken last is over: what it raced with, and what it happened after. */
    private void finish(SteppedRun run) {
        int e = depth - 1;
        finished = depth;
        uses.ends(e);
        Act act = run.lastAct();
        if ((act == Act.UPDATE || act == Act.TRY_LOCK) && run.lastBefore() == run.lastAfter()) {
            access[e] &= ~WRITES;
        }
        tries = act == Act.TRY_LOCK && (access[e] & WRITES) != 0;
        int t = chosen[e];
        int[] others = more[e];
        if (e >= fresh) {
            if (access[e] != NONE) {
                races(access[e], t);
            }
            for (int i = 0; others != null && i < others.length; i++) {
                races(others[i], t);
            }
        }
        if (access[e] != NONE) {
            happensAfter(access[e], t);
        }
        if (others != null) {
            for (int other : others) {
                happensAfter(other, t);
            }
        }
        count[t]++;
        clock[t][t] = count[t];
        System.arraycopy(clock[t], 0, clocks, e * n, n);
        if (access[e] != NONE) {
            remember(access[e], e, t);
        }
        if (others != null) {
            for (int other : others) {
                remember(other, e, t);
            }
        }
    }

    private void races(int what, int t) {
        int id = what >>> ID_SHIFT;
        race((what & WAITS) != 0 ? uses.taken(id) : uses.written(id), t);
        if ((what & WRITES) != 0) {
            for (int q = 0; q < n; q++) {
                race(uses.read(id, q), t);
            }
        }
    }

    /** Notes the branch where a step of thread {@code t} comes before an earlier step. */
    private void race(int earlier, int t) {
        if (earlier == NONE || chosen[earlier] == t) {
            return;
        }
        int q = chosen[earlier];
        if (clock[t][q] > counts[earlier * n + q] || backtrack[earlier] == enabled[earlier]) {
            return; // it happens before anyway, or all branches are to be taken
        }
        int could = initials(earlier, t) & enabled[earlier];
        if (could == 0) {
            backtrack[earlier] |= enabled[earlier];
        } else if ((could & backtrack[earlier]) == 0) {
            backtrack[earlier] |= (could >>> t & 1) != 0 ? 1 << t : Integer.lowestOneBit(could);
        }
    }

    /**
     * Of what happened since a step but not because of it, up to the step of thread {@code t} that
     * races with it: the threads that may begin, as nothing else in there comes before their part.
     * One of them has to be tried at the branch.
     */
    private int initials(int earlier, int t) {
        int now = depth - 1;
        int q = chosen[earlier];
        int seen = 1 << q;
        int initials = 0;
        boolean mayBegin = true;
        int[] own = accesses(now);
        for (int k = earlier + 1; k < now; k++) {
            int p = chosen[k];
            boolean because = clocks[k * n + q] > counts[earlier * n + q];
            if (!because && p != t && !isIndependent(own, k)) {
                mayBegin = false;
            }
            if ((seen >>> p & 1) == 0 && !because && isFirst(clocks, k * n, p, earlier)) {
                initials |= 1 << p;
            }
            seen |= 1 << p;
        }
        if ((seen >>> t & 1) == 0 && mayBegin && isFirst(clock[t], 0, t, earlier)) {
            initials |= 1 << t;
        }
        return initials;
    }

    /** Whether a clock of thread {@code p} knows nothing that others did since a step. */
    private boolean isFirst(int[] times, int from, int p, int since) {
        for (int r = 0; r < n; r++) {
            if (r != p && times[from + r] > counts[since * n + r]) {
                return false;
            }
        }
        return true;
    }

    private void happensAfter(int what, int t) {
        int id = what >>> ID_SHIFT;
        join(uses.written(id), t);
        if ((what & WRITES) != 0) {
            for (int q = 0; q < n; q++) {
                join(uses.read(id, q), t);
            }
        }
    }

    private void join(int earlier, int t) {
        if (earlier == NONE) {
            return;
        }
        int q = chosen[earlier];
        int[] known = clock[t];
        if (known[q] > counts[earlier * n + q]) {
            return; // it happens before already, and with it all that came before it
        }
        for (int p = 0; p < n; p++) {
            known[p] = Math.max(known[p], clocks[earlier * n + p]);
        }
    }

    private void remember(int what, int e, int t) {
        int id = what >>> ID_SHIFT;
        if ((what & WRITES) != 0) {
            uses.writes(id, e);
        } else {
            uses.reads(id, t, e);
        }
        if ((what & WAITS) != 0 || tries) {
            uses.takes(id, e);
        }
    }

    private boolean isIndependent(int[] its, int e) {
        int[] others = more[e];
        for (int one : its) {
            if (clashes(one, access[e])) {
                return false;
            }
            for (int i = 0; others != null && i < others.length; i++) {
                if (clashes(one, others[i])) {
                    return false;
                }
            }
        }
        return true;
    }

    private static boolean clashes(int a, int b) {
        return b != NONE && a >>> ID_SHIFT == b >>> ID_SHIFT && ((a | b) & WRITES) != 0;
    }

    @Override
    public boolean advance() {
        if (isVoid) {
            // The same once more; branches noted meanwhile do no harm.
            voided++;
            mayBeQuick = false;
            prefix = prefixAtBegin;
            return true;
        }
        for (int d = depth - 1; d >= 0; d--) {
            int t = chosen[d];
            done[d] |= 1 << t;
            asleep[d * n + t] = accesses(d);
            int rest = backtrack[d] & ~done[d] & ~sleep[d];
            if (rest != 0) {
                chosen[d] = Integer.numberOfTrailingZeros(rest);
                prefix = d + 1;
                return true;
            }
        }
        return false;
    }

    private int[] accesses(int d) {
        int[] others = more[d];
        int own = access[d] == NONE ? 0 : 1;
        int[] all = new int[own + (others == null ? 0 : others.length)];
        if (own == 1) {
            all[0] = access[d];
        }
        if (others != null) {
            System.arraycopy(others, 0, all, own, others.length);
        }
        return all;
    }

    private void reserve() {
        if (depth + 1 < enabled.length && (depth + 1) * n < asleep.length) {
            return;
        }
        int length = 2 * enabled.length;
        enabled = Arrays.copyOf(enabled, length);
        backtrack = Arrays.copyOf(backtrack, length);
        done = Arrays.copyOf(done, length);
        sleep = Arrays.copyOf(sleep, length);
        chosen = Arrays.copyOf(chosen, length);
        access = Arrays.copyOf(access, length);
        signatures = Arrays.copyOf(signatures, length);
        flows = Arrays.copyOf(flows, length);
        more = Arrays.copyOf(more, length);
        asleep = Arrays.copyOf(asleep, length * n);
        clocks = Arrays.copyOf(clocks, length * n);
        counts = Arrays.copyOf(counts, length * n);
    }
}
