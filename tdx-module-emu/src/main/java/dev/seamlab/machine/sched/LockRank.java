// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

/**
 * Every lock on the host side, outermost first. A thread may take a lock only if its rank is not
 * lower than the rank of each lock it already holds; equal ranks nest only where noted. This list
 * is the documentation; {@link Held} is the check, and it runs with assertions enabled.
 *
 * <pre>
 *   rank            one per   kind      protects                                     never while holding it
 *   TRUST_DOMAIN    TD        sleeping  the control plane's view of a TD's state     -
 *   TD_STATE        TD        sleeping  the order in which others hear of it         -
 *   KVM             VM        sleeping  kvm->lock: vCPU creation, VM-wide steps      -
 *   VCPU            vCPU      sleeping  vcpu->mutex; several nest by vCPU index      -
 *   SLOTS           VM        sleeping  memslots, attributes; readers use a snapshot run a vCPU
 *   GMEM            slot      sleeping  guest_memfd's pages against punching         -
 *   WORLD_STOPPER   host      sleeping  one stopper of the world at a time           -
 *   WORLD           host      sleeping  work (shared) against stopping the world     wait for a rank above
 *   CPU_HOTPLUG     host      sleeping  which CPUs are online                        -
 *   TDX             host      sleeping  KeyID assignment and release                 -
 *   CPU             CPU       pinned    which thread runs on a logical CPU           sleep, wait for a sleeping lock
 *   MMU             VM        spinning  mirror EPT: faults share it, zaps own it     sleep, allocate with reclaim
 *   SPLIT_POOL      VM        spinning  pages kept ready to split 2M leaves          sleep, allocate with reclaim
 *   PAGE_ALLOCATOR  zone      spinning  free lists                                   sleep
 *   PAMT            host      spinning  0-to-1 and 1-to-0 of a range's refcount      sleep, allocate at all
 * </pre>
 *
 * <p>PAGE_ALLOCATOR stands before PAMT on purpose: allocating under the PAMT lock breaks the order
 * and is caught. Locks inside the module are not here: they are try-locks and answer BUSY, so they
 * cannot deadlock with these. Source: facts, Linux sheet section 5.1.
 */
public enum LockRank {
    TRUST_DOMAIN(false),
    TD_STATE(false),
    KVM(false),
    VCPU(false),
    SLOTS(false),
    GMEM(false),
    WORLD_STOPPER(false),
    WORLD(false),
    CPU_HOTPLUG(false),
    TDX(false),
    CPU(false),
    MMU(true),
    SPLIT_POOL(true),
    PAGE_ALLOCATOR(true),
    PAMT(true);

    private final boolean spinning;

    LockRank(boolean spinning) {
        this.spinning = spinning;
    }

    /** Whether a holder must not sleep. */
    public boolean isSpinning() {
        return spinning;
    }

    /** The locks that the current thread holds; kept only while assertions are enabled. */
    public static final class Held {
        private static final ThreadLocal<Held> MINE = ThreadLocal.withInitial(Held::new);
        private static final LockRank[] RANKS = values();

        /** A bit per rank, so that a higher one makes a greater number. */
        private int ranks;

        /** The one rank of which a thread may hold several. */
        private int vcpus;

        private Held() {}

        /** Whether the current thread holds a lock of this rank. Use in an {@code assert}. */
        public static boolean isHeld(LockRank rank) {
            return (MINE.get().ranks & bit(rank)) != 0;
        }

        /** Whether the current thread may go to sleep: no spinning lock, no CPU. */
        public static boolean maySleep() {
            int ranks = MINE.get().ranks;
            for (int left = ranks; left != 0; left &= ~bit(highest(left))) {
                LockRank rank = highest(left);
                if (rank.isSpinning() || rank == CPU) {
                    throw new AssertionError("would sleep while holding " + rank);
                }
            }
            return true;
        }

        /** Whether the current thread may allocate with reclaim: it holds no spinning lock. */
        public static boolean mayReclaim() {
            int ranks = MINE.get().ranks;
            for (int left = ranks; left != 0; left &= ~bit(highest(left))) {
                LockRank rank = highest(left);
                if (rank.isSpinning()) {
                    throw new AssertionError("would allocate with reclaim while holding " + rank);
                }
            }
            return true;
        }

        /** Notes that the current thread took a lock. Fails where that breaks the order. */
        public static boolean push(LockRank rank) {
            Held mine = MINE.get();
            int bit = bit(rank);
            boolean nests = rank == VCPU && mine.ranks < 2 * bit;
            if (mine.ranks >= bit && !nests) {
                throw new AssertionError(
                        "lock order: " + rank + " taken after " + highest(mine.ranks));
            }
            mine.ranks |= bit;
            mine.vcpus += rank == VCPU ? 1 : 0;
            return true;
        }

        /** Whether the current thread has given every lock back. Fails where it has not. */
        static boolean isEmpty() {
            int ranks = MINE.get().ranks;
            if (ranks != 0) {
                throw new AssertionError("lock order: " + highest(ranks) + " not given back");
            }
            return true;
        }

        /** Notes that the current thread let go of a lock. */
        public static boolean pop(LockRank rank) {
            Held mine = MINE.get();
            if ((mine.ranks & bit(rank)) == 0) {
                throw new AssertionError("unlock of " + rank + ", which this thread does not hold");
            }
            if (rank != VCPU || --mine.vcpus == 0) {
                mine.ranks &= ~bit(rank);
            }
            return true;
        }

        private static int bit(LockRank rank) {
            return 1 << rank.ordinal();
        }

        private static LockRank highest(int ranks) {
            return RANKS[31 - Integer.numberOfLeadingZeros(ranks)];
        }
    }
}
