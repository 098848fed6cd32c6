// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.guest.ProgramRunner;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.KvmStats;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.kvm.KvmVcpu;
import dev.seamlab.kvm.PairLedger;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.WaitQueue;
import dev.seamlab.machine.sched.Waits;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * One trust domain. Actions hold {@link #actions}; a vCPU's thread never does, because actions wait
 * for those threads. So the state changes by compare-and-set on the snapshot, which is also what
 * readers see.
 */
final class Td implements TrustDomain {
    private static final TdProgress NOTHING = new TdProgress(0, 0, 0, 0, 0, 0, 0);
    private static final int LIVE = 16;
    private static final int POWERED_OFF = 17;

    private final TrustDomainSpec spec;
    private final TdxHost host;
    private final PairLedger ledger;
    private final KvmTdx vm;
    private final Lock actions = new Lock(LockRank.TRUST_DOMAIN);
    private final AtomicReference<TdSnapshot> published;
    private final ConcurrentLinkedQueue<Subscription> subscriptions = new ConcurrentLinkedQueue<>();
    private final WaitQueue vcpusGone = new WaitQueue();
    private final int[] words = new int[48];

    // Written while CREATING; everybody else comes later.
    private volatile List<KvmVcpu> vcpus = List.of();
    private volatile List<ProgramRunner> runners = List.of();
    private volatile long conversionsOfBuild;
    private volatile @Nullable GuestLayout layout;

    Td(TrustDomainSpec spec, TdxHost host, PairLedger ledger, int owner) {
        this.spec = spec;
        this.host = host;
        this.ledger = ledger;
        this.vm = new KvmTdx(host, ledger, owner, spec.vcpus());
        this.published =
                new AtomicReference<>(
                        new TdSnapshot(
                                spec.id(), 1, TdState.CREATING, NOTHING, 0, "", Optional.empty()));
    }

    // ------------------------------------------------------------------ what others see

    @Override
    public String id() {
        return spec.id();
    }

    @Override
    public TrustDomainSpec spec() {
        return spec;
    }

    @Override
    public TdState state() {
        return published.get().state();
    }

    @Override
    public TdSnapshot snapshot() {
        while (true) {
            TdSnapshot last = published.get();
            TdProgress now = progress();
            if (now.equals(last.progress())) {
                return last;
            }
            TdSnapshot next =
                    new TdSnapshot(
                            last.id(),
                            last.revision() + 1,
                            last.state(),
                            now,
                            last.hkid(),
                            last.mrtd(),
                            last.failure());
            if (published.compareAndSet(last, next)) {
                return next;
            }
        }
    }

    @Override
    public TdMemory memory() {
        long[] bytes = new long[PageUse.COUNT];
        int owner = vm.owner();
        ledger.forEach((pfn, who, cause) -> {
            if (who == owner) {
                bytes[cause.ordinal()] += 2 * Addresses.PAGE_SIZE;
            }
        });
        KvmStats stats = vm.stats();
        return new TdMemory(
                new PamtShare(
                        bytes[PageUse.CONTROL.ordinal()],
                        bytes[PageUse.SEPT.ordinal()],
                        bytes[PageUse.GUEST_PRIVATE.ordinal()]),
                vm.controlPages(),
                stats.get(Counter.SEPT_PAGES),
                stats.get(Counter.PRIVATE_PAGES),
                vm.gmemPages(),
                vm.sharedPages(),
                vm.poolPages(),
                stats.get(Counter.LEAKED_PAGES));
    }

    @Override
    public KvmStats stats() {
        return vm.stats();
    }

    @Override
    public void touch() {
        TdSnapshot next =
                published.updateAndGet(last ->
                        new TdSnapshot(
                                last.id(),
                                last.revision() + 1,
                                last.state(),
                                last.progress(),
                                last.hkid(),
                                last.mrtd(),
                                last.failure()));
        subscriptions.forEach(subscription -> subscription.offer(next));
    }

    @Override
    public TdSubscription subscribe(long afterRevision) {
        Subscription subscription = new Subscription(this, afterRevision, subscriptions::remove);
        subscriptions.add(subscription);
        return subscription;
    }

    private TdProgress progress() {
        long operations = 0;
        long accepted = 0;
        int finished = 0;
        for (ProgramRunner runner : runners) {
            operations += runner.progress().operations();
            accepted += runner.progress().pagesAccepted();
            finished += runner.progress().isFinished() ? 1 : 0;
        }
        KvmStats stats = vm.stats();
        return new TdProgress(
                operations,
                accepted,
                stats.get(Counter.PRIVATE_FAULTS),
                stats.get(Counter.SHARED_FAULTS),
                Math.max(0, conversions() - conversionsOfBuild),
                stats.get(Counter.TD_EXITS),
                finished);
    }

    private long conversions() {
        return vm.stats().get(Counter.TO_SHARED) + vm.stats().get(Counter.TO_PRIVATE);
    }

    // ------------------------------------------------------------------ state

    /** Moves to a state if that is legal from where the TD stands; whether it did. */
    private boolean become(TdState state, Optional<Refusal> failure) {
        while (true) {
            TdSnapshot last = snapshot();
            if (!last.state().mayBecome(state)) {
                return false;
            }
            TdSnapshot next =
                    new TdSnapshot(
                            last.id(),
                            last.revision() + 1,
                            state,
                            last.progress(),
                            vm.hkid(),
                            last.mrtd(),
                            failure.isPresent() ? failure : last.failure());
            if (published.compareAndSet(last, next)) {
                subscriptions.forEach(subscription -> subscription.offer(next));
                return true;
            }
        }
    }

    private void setMrtd(String mrtd) {
        published.updateAndGet(last ->
                new TdSnapshot(
                        last.id(),
                        last.revision() + 1,
                        last.state(),
                        last.progress(),
                        last.hkid(),
                        mrtd,
                        last.failure()));
    }

    private Outcome<TrustDomain> wrongState(TdAction action) {
        return Outcome.refused(new Refusal.WrongState(id(), action, state()));
    }

    // ------------------------------------------------------------------ actions

    /** CREATING to READY. Null on success; otherwise everything is taken back. */
    @Nullable Refusal build(BooleanSupplier cancelled) {
        actions.lock();
        try {
            TdBuilder builder = new TdBuilder(host, vm, spec, cancelled);
            layout = builder.layout();
            Refusal refusal = builder.buildStructures();
            if (refusal == null) {
                become(TdState.CREATED, Optional.empty());
                refusal = builder.buildMemory();
            }
            if (refusal != null) {
                become(TdState.DELETING, Optional.of(refusal));
                tearDown();
                return refusal;
            }
            vcpus = List.copyOf(builder.vcpus());
            conversionsOfBuild = conversions();
            runners = List.copyOf(builder.runners());
            setMrtd(builder.mrtd());
            become(TdState.READY, Optional.empty());
            return null;
        } finally {
            actions.unlock();
        }
    }

    Outcome<TrustDomain> start(TdAction action) {
        actions.lock();
        try {
            if (!action.legalFrom().contains(state())
                    || !become(TdState.RUNNING, Optional.empty())) {
                return wrongState(action);
            }
            launch();
            return Outcome.done(this);
        } finally {
            actions.unlock();
        }
    }

    Outcome<TrustDomain> pause() {
        actions.lock();
        try {
            if (!TdAction.PAUSE.legalFrom().contains(state())
                    || !become(TdState.PAUSED, Optional.empty())) {
                return wrongState(TdAction.PAUSE);
            }
            evict();
            return Outcome.done(this);
        } finally {
            actions.unlock();
        }
    }

    Outcome<TrustDomain> stop() {
        return end(TdAction.STOP, () -> {});
    }

    Outcome<TrustDomain> kill() {
        return end(TdAction.KILL, vm::die);
    }

    /**
     * To STOPPED.
     *
     * @param last done when no vCPU runs any more: one that meets a dead VM would report a failure
     */
    private Outcome<TrustDomain> end(TdAction action, Runnable last) {
        actions.lock();
        try {
            if (!action.legalFrom().contains(state())
                    || !become(TdState.STOPPING, Optional.empty())) {
                return wrongState(action);
            }
            evict();
            last.run();
            become(TdState.STOPPED, Optional.empty());
            return Outcome.done(this);
        } finally {
            actions.unlock();
        }
    }

    /** Tears down; {@code gone} runs when nothing is left, before the last snapshot goes out. */
    Outcome<TdSnapshot> delete(Runnable gone) {
        actions.lock();
        try {
            if (!TdAction.DELETE.legalFrom().contains(state())
                    || !become(TdState.DELETING, Optional.empty())) {
                return Outcome.refused(new Refusal.WrongState(id(), TdAction.DELETE, state()));
            }
            evict();
            tearDown();
            gone.run();
            TdSnapshot last = snapshot();
            subscriptions.forEach(Subscription::end);
            return Outcome.done(last);
        } finally {
            actions.unlock();
        }
    }

    private void tearDown() {
        vm.destroy();
        for (Subscription subscription : subscriptions) {
            subscription.end();
        }
    }

    // ------------------------------------------------------------------ vCPU threads

    private void launch() {
        Cells.release(words, LIVE, vcpus.size());
        for (KvmVcpu vcpu : vcpus) {
            vcpu.allowRun();
        }
        for (KvmVcpu vcpu : vcpus) {
            Waits.start("vcpu-" + id() + "-" + vcpu.index(), () -> live(vcpu));
        }
    }

    private void live(KvmVcpu vcpu) {
        try {
            GuestLayout memory = layout;
            if (memory == null) {
                throw new AssertionError("a vCPU runs before the TD is built");
            }
            VcpuThread.End end = new VcpuThread(vm, vcpu, memory).run();
            if (end.isPowerOff()) {
                Cells.release(words, POWERED_OFF, 1);
                become(TdState.STOPPING, Optional.empty());
                askToLeave();
            } else if (end.failure() != null) {
                fail(vcpu, end.failure());
            }
        } catch (RuntimeException | AssertionError e) {
            // A defect of ours must not leave a TD that claims to run.
            host.log().line("vmm: vCPU thread of " + id() + " ended with " + e);
            fail(vcpu, "the VMM has a defect: " + e);
        } finally {
            boolean last = Cells.getAndAdd(words, LIVE, -1) == 1;
            if (last && Cells.acquire(words, POWERED_OFF) != 0) {
                become(TdState.STOPPED, Optional.empty());
            }
            vcpusGone.wakeAll();
        }
    }

    private void fail(KvmVcpu vcpu, @Nullable String reason) {
        Refusal why = new Refusal.GuestFailed(id(), vcpu.index(), String.valueOf(reason));
        become(TdState.FAILED, Optional.of(why));
        askToLeave();
    }

    private void askToLeave() {
        for (KvmVcpu vcpu : vcpus) {
            vcpu.requestExit();
        }
    }

    private void evict() {
        askToLeave();
        vcpusGone.await(() -> Cells.acquire(words, LIVE) <= 0);
    }

    KvmTdx vm() {
        return vm;
    }
}
