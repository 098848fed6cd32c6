// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** One thread of a {@link SteppedRun}: what it is about to do, and whether it can. */
public final class LogicalThread {
    /** Who moves now; null while the scheduler, or nobody of a run, is at work. */
    private static @Nullable LogicalThread running;

    /** Notes what a condition reads while somebody looks at it. */
    static @Nullable ReadLog recorder;

    private static final Object NOWHERE = new Object();

    private final SteppedRun run;
    private final int index;
    private final String name;
    private final Runnable body;
    private final Strand strand;

    private Act act = Act.END;
    private Object where = NOWHERE;
    private int at;
    private @Nullable BooleanSupplier condition;
    private long deadline;
    private boolean woken;
    private int pausedAt;
    private int hidden;

    /** Whether its next act may have to wait for something. */
    private boolean waits = true;

    private final ReadLog reads = new ReadLog();
    private @Nullable Throwable failure;

    LogicalThread(SteppedRun run, int index, String name, Runnable body, Strand strand) {
        this.run = run;
        this.index = index;
        this.name = name;
        this.body = body;
        this.strand = strand;
    }

    /** The logical thread that moves now, or null. */
    static @Nullable LogicalThread current() {
        return running;
    }

    /** Place in its run, from 0. */
    public int index() {
        return index;
    }

    /** For people. */
    public String name() {
        return name;
    }

    /** What it does next; {@link Act#END} once it is done. */
    public Act act() {
        return act;
    }

    /** The array, lock or queue that the next act is about. */
    public Object where() {
        return where;
    }

    /** Place of the word in its array. */
    public int at() {
        return at;
    }

    /** Words that the condition it waits for has read. */
    public int reads() {
        return act == Act.AWAIT || act == Act.SLEEP ? reads.size() : 0;
    }

    /** Array of the i-th word that the condition has read. */
    public Object readWhere(int i) {
        return reads.array(i);
    }

    /** Index of the i-th word that the condition has read. */
    public int readAt(int i) {
        return reads.place(i);
    }

    /** What its body threw, or null. */
    public @Nullable Throwable failure() {
        return failure;
    }

    /** Whether its body has come to its end, by return or by throwing. */
    public boolean isDone() {
        return act == Act.END;
    }

    /** Whether it sleeps although its condition holds: nobody told it. */
    public boolean missedItsWakeUp() {
        return act == Act.SLEEP && !woken && holds();
    }

    SteppedRun run() {
        return run;
    }

    Strand strand() {
        return strand;
    }

    long deadline() {
        return act == Act.AWAIT || act == Act.SLEEP ? deadline : Long.MAX_VALUE;
    }

    boolean isEnabled() {
        return !waits || mayGoOn();
    }

    private boolean mayGoOn() {
        return switch (act) {
            case END -> false;
            case LOCK -> ((Lock) where).isFree();
            case AWAIT -> holds() || run.now() >= deadline;
            case SLEEP -> (woken && holds()) || run.now() >= deadline;
            case PAUSE -> run.steps() > pausedAt;
            default -> true;
        };
    }

    void wake() {
        woken = true;
    }

    /** The body, from its start to its first step; on its strand from then on. */
    void execute() {
        try {
            body.run();
            assert LockRank.Held.isEmpty();
        } catch (Throwable e) {
            failure = e;
        }
        act = Act.END;
        waits = true;
        where = NOWHERE;
        at = 0;
    }

    /** Announces a step and returns when it is this thread's turn to take it. */
    void step(Act next, Object array, int place) {
        if (hides(next, array)) {
            return;
        }
        boolean mayWait = next == Act.LOCK || next == Act.PAUSE;
        if (!mayWait && run.passes()) {
            return;
        }
        act = next;
        waits = mayWait;
        where = array;
        at = place;
        pausedAt = run.steps();
        run.arrive(this);
    }

    boolean await(Act kind, BooleanSupplier wanted, long nanos) {
        if (hidden > 0) {
            throw new AssertionError("a wait inside a section that counts as one step");
        }
        condition = wanted;
        deadline = nanos > Long.MAX_VALUE - run.now() ? Long.MAX_VALUE : run.now() + nanos;
        // Whoever looks at its condition last before it sleeps may find it true.
        woken = kind == Act.SLEEP && holds();
        act = kind;
        waits = true;
        where = this;
        at = 0;
        holds();
        run.arrive(this);
        boolean held = holds();
        condition = null;
        return held;
    }

    void mount() {
        running = this;
        strand.go();
        running = null;
    }

    static void quiet() {
        running = null;
    }

    void moves() {
        running = this;
    }

    boolean mayMove() {
        return running == this;
    }

    /**
     * Whether a step lies in the critical section of a lock whose sections count as one step. Such
     * a section is never left half way, so its lock is always free.
     */
    private boolean hides(Act next, Object array) {
        if (array instanceof Lock lock && run.isHidden(lock.rank())) {
            if (next == Act.UNLOCK) {
                hidden--;
            } else {
                hidden++;
            }
            return true;
        }
        return hidden > 0;
    }

    static List<SteppedRun.Word> wordsOf(Runnable action) {
        ReadLog log = new ReadLog();
        record(
                log,
                () -> {
                    action.run();
                    return true;
                });
        List<SteppedRun.Word> words = new ArrayList<>();
        for (int i = 0; i < log.size(); i++) {
            words.add(new SteppedRun.Word(log.array(i), log.place(i)));
        }
        return words;
    }

    private boolean holds() {
        BooleanSupplier wanted = condition;
        if (wanted == null) {
            return true;
        }
        reads.clear();
        return record(reads, wanted);
    }

    private static boolean record(ReadLog log, BooleanSupplier look) {
        LogicalThread mover = running;
        running = null;
        recorder = log;
        try {
            return look.getAsBoolean();
        } finally {
            recorder = null;
            running = mover;
        }
    }
}
