// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Runs a few logical threads one step at a time, in the order that a {@link Director} chooses.
 * Needs the stepped wiring: {@code -Dseamlab.stepped=true} when the JVM starts.
 *
 * <p>A <b>step</b> is one access to a shared word, lock or queue through this package, with
 * everything its thread does up to its next one. Memory is sequentially consistent: what weaker
 * orderings allow is for other tools to find.
 *
 * <p>Time stands still while anybody can move, and jumps to the next deadline when nobody can. A
 * thread that {@link Waits#pause pauses} moves again once somebody else has, or nobody else can.
 */
public final class SteppedRun {
    /** System property that installs the stepped wiring when the JVM starts. */
    public static final String PROPERTY = "seamlab.stepped";

    /** Answer of a director that has seen enough. */
    public static final int STOP = -1;

    /** A run of this many steps goes round in circles. */
    public static final int MAX_STEPS = 200_000;

    /** Decides who moves. */
    @FunctionalInterface
    public interface Director {
        /**
         * Chooses the thread that takes its next step. Every thread stands at a step or is done.
         * Called a last time when no thread is enabled, so that it sees the last step's effects.
         *
         * @return index of an enabled thread, or {@link #STOP}
         */
        int choose(SteppedRun run);

        /**
         * How many more steps the thread just chosen takes before anybody is asked again, as far as
         * it can: for directors that know the way. Asked once after each choice. Of these steps the
         * run tells of the last one only, and of none where the thread could not take them all.
         */
        default int further() {
            return 0;
        }
    }

    /** How a run ended. */
    public enum End {
        /** All bodies came to their end. */
        DONE,
        /** Some did not, and none of them can move. */
        STUCK,
        /** The director had seen enough. */
        STOPPED,
        /** More steps than any sensible run has. */
        RUNAWAY
    }

    private static final Deque<Strand> STRANDS = new ArrayDeque<>();

    private final LogicalThread[] threads;

    /** A bit per rank whose critical sections count as part of the step before them. */
    private final int hidden;

    private Director director = run -> STOP;
    private boolean starting;
    private int granted;
    private int next;
    private int steps;
    private int enabled;
    private long now;
    private End end = End.DONE;
    private @Nullable RuntimeException directorFailure;

    // The step taken last.
    private int last = -1;
    private Act lastAct = Act.END;
    private Object lastWhere = this;
    private int lastAt;
    private long lastBefore;

    /**
     * @param names of the threads, for people
     * @param bodies what each does
     * @param hidden locks whose critical sections count as part of the step before them
     */
    public SteppedRun(List<String> names, List<Runnable> bodies, Set<LockRank> hidden) {
        if (!isInstalled()) {
            throw new IllegalStateException("this JVM was not started with -D" + PROPERTY);
        }
        int ranks = 0;
        for (LockRank rank : hidden) {
            ranks |= 1 << rank.ordinal();
        }
        this.hidden = ranks;
        this.threads = new LogicalThread[bodies.size()];
        for (int i = 0; i < threads.length; i++) {
            Strand strand = STRANDS.isEmpty() ? new Strand() : STRANDS.pop();
            threads[i] = new LogicalThread(this, i, names.get(i), bodies.get(i), strand);
        }
    }

    /** Whether this JVM has the stepped wiring. */
    public static boolean isInstalled() {
        return Installed.WIRING instanceof SteppedWiring;
    }

    /** Whether the caller is on a logical thread. */
    public static boolean isSteppedThread() {
        return LogicalThread.current() != null;
    }

    /** The logical thread that calls, or null. */
    public static @Nullable LogicalThread currentThread() {
        return LogicalThread.current();
    }

    /** Lets a logical thread do something that no scheduler sees: checks and notes. */
    public static void unseen(Runnable action) {
        LogicalThread self = LogicalThread.current();
        LogicalThread.quiet();
        try {
            action.run();
        } finally {
            if (self != null) {
                self.moves();
            }
        }
    }

    /** Runs all bodies to the end, once. Called by a thread that is no logical one. */
    public End run(Director chooser) {
        director = chooser;
        starting = true;
        for (LogicalThread thread : threads) {
            thread.strand().give(thread);
            thread.mount();
        }
        starting = false;
        next = decide();
        while (next >= 0) {
            threads[next].mount();
        }
        for (LogicalThread thread : threads) {
            // A strand that stands in the middle of something, or whose books of held locks may be
            // wrong, is never used again.
            if (thread.isDone() && thread.failure() == null) {
                STRANDS.push(thread.strand());
            }
        }
        if (directorFailure != null) {
            throw directorFailure;
        }
        return end;
    }

    /** Number of threads. */
    public int size() {
        return threads.length;
    }

    /** A thread. */
    public LogicalThread thread(int index) {
        return threads[index];
    }

    /** Which threads can move, a bit each. */
    public int enabled() {
        return enabled;
    }

    private int look() {
        int mask = 0;
        boolean paused = false;
        for (int i = 0; i < threads.length; i++) {
            if (threads[i].isEnabled()) {
                mask |= 1 << i;
            } else if (threads[i].act() == Act.PAUSE) {
                paused = true;
            }
        }
        if (mask == 0 && paused) {
            for (int i = 0; i < threads.length; i++) {
                mask |= threads[i].act() == Act.PAUSE ? 1 << i : 0;
            }
        }
        return mask;
    }

    /** Steps taken so far. */
    public int steps() {
        return steps;
    }

    /** Thread that took the last step; -1 before the first. */
    public int last() {
        return last;
    }

    /** What the last step was. */
    public Act lastAct() {
        return lastAct;
    }

    /** What the last step was about. */
    public Object lastWhere() {
        return lastWhere;
    }

    /** Place of the last step's word in its array. */
    public int lastAt() {
        return lastAt;
    }

    /** The word before the last step; 1 for a lock that was held. */
    public long lastBefore() {
        return lastBefore;
    }

    /** The word that the last step was about, now. */
    public long lastAfter() {
        return valueOf(lastWhere, lastAt);
    }

    /** One word of shared memory. */
    public record Word(Object array, int index) {}

    /** The words that an action reads or writes through this package; for naming them. */
    public static List<Word> wordsOf(Runnable action) {
        return LogicalThread.wordsOf(action);
    }

    static long valueOf(Object where, int at) {
        // Asked for each step that somebody looks at: a pattern switch takes several times as long.
        if (where instanceof long[] words) {
            return words[at];
        }
        if (where instanceof int[] words) {
            return words[at];
        }
        return where instanceof Lock lock && isHeld(lock) ? 1 : 0;
    }

    /** Whether somebody holds a lock now; for checkers. */
    public static boolean isHeld(Lock lock) {
        return !lock.isFree();
    }

    long now() {
        return now;
    }

    boolean isHidden(LockRank rank) {
        return (hidden >>> rank.ordinal() & 1) != 0;
    }

    void wake(Thread sleeper) {
        for (LogicalThread thread : threads) {
            if (thread.strand().thread().equals(sleeper)) {
                thread.wake();
            }
        }
    }

    /**
     * Takes a step that was granted and is not the last of those: nobody hears of it. For steps
     * that never wait.
     */
    boolean passes() {
        if (granted <= 1) {
            return false;
        }
        granted--;
        steps++;
        return true;
    }

    /** A thread stands at its next step; returns when it may take it. On its strand. */
    void arrive(LogicalThread self) {
        if (!starting) {
            if (granted > 0 && self.isEnabled()) {
                granted--;
                took(self);
                return;
            }
            LogicalThread.quiet();
            int chosen = decide();
            if (chosen == self.index()) {
                self.moves();
                return;
            }
            next = chosen;
        }
        self.strand().stop(self);
    }

    /** A thread is about to take the step at which it stands. */
    private void took(LogicalThread thread) {
        last = thread.index();
        lastAct = thread.act();
        lastWhere = thread.where();
        lastAt = thread.at();
        lastBefore = valueOf(lastWhere, lastAt);
        steps++;
    }

    /** A thread has come to its end. On its strand. */
    void arrived(LogicalThread self) {
        LogicalThread.quiet();
        if (!starting) {
            next = decide();
        }
        assert self.isDone();
    }

    private int decide() {
        if (granted > 0) {
            // The thread could not take them all, and its last one was not noted.
            granted = 0;
            lastAct = Act.END;
            lastWhere = this;
        }
        int mask = look();
        if (mask == 0) {
            mask = passTime();
        }
        enabled = mask;
        if (mask == 0) {
            end = End.DONE;
            for (LogicalThread thread : threads) {
                end = thread.isDone() ? end : End.STUCK;
            }
            chooseNobody();
            return STOP;
        }
        if (steps >= MAX_STEPS) {
            end = End.RUNAWAY;
            return STOP;
        }
        int chosen = ask();
        if (chosen < 0) {
            end = End.STOPPED;
            return STOP;
        }
        if ((mask >>> chosen & 1) == 0) {
            throw new IllegalStateException("thread " + chosen + " cannot move");
        }
        took(threads[chosen]);
        granted = Math.min(director.further(), MAX_STEPS - steps);
        return chosen;
    }

    private int ask() {
        try {
            return director.choose(this);
        } catch (RuntimeException | AssertionError e) {
            directorFailure = new IllegalStateException("the director failed", e);
            return STOP;
        }
    }

    /** The last step is over: the director may look at its effects. */
    private void chooseNobody() {
        try {
            director.choose(this);
        } catch (RuntimeException | AssertionError e) {
            directorFailure = new IllegalStateException("the director failed", e);
        }
    }

    private int passTime() {
        long first = Long.MAX_VALUE;
        for (LogicalThread thread : threads) {
            first = Math.min(first, thread.deadline());
        }
        if (first == Long.MAX_VALUE) {
            return 0;
        }
        now = first;
        return look();
    }
}
