// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.guest.GuestSeat;
import dev.seamlab.host.TdxHost;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.KvmStats;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.kvm.KvmTdx;
import dev.seamlab.kvm.KvmVcpu;
import dev.seamlab.kvm.PairLedger;
import dev.seamlab.kvm.PreFault;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gpa;
import dev.seamlab.machine.sched.Cells;
import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.WaitQueue;
import dev.seamlab.machine.sched.Waits;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.stream.Collectors;
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

    /** Makes those who listen hear of changes in the order in which they happen. */
    private final Lock telling = new Lock(LockRank.TD_STATE);

    private final TdListener listener;
    private final AtomicReference<TdSnapshot> published;
    private final ConcurrentLinkedQueue<Subscription> subscriptions = new ConcurrentLinkedQueue<>();
    private final WaitQueue vcpusGone = new WaitQueue();
    private final int[] words = new int[48];

    // Written while CREATING; everybody else comes later.
    private volatile List<KvmVcpu> vcpus = List.of();
    private volatile List<GuestSeat> seats = List.of();
    private volatile List<HandDrive> drives = List.of();
    private volatile long conversionsOfBuild;
    private volatile @Nullable GuestLayout layout;

    Td(TrustDomainSpec spec, TdxHost host, PairLedger ledger, int owner, TdListener listener) {
        this.spec = spec;
        this.host = host;
        this.listener = listener;
        this.ledger = ledger;
        this.vm = new KvmTdx(host, ledger, owner, spec.vcpus());
        if (spec.largePages()) {
            int enabled = vm.enableLargePages();
            assert enabled == Errno.OK : "a new VM refuses a capability";
        }
        vm.onLeak(pfn -> listener.leaked(spec.id(), Addresses.hpa(pfn)));
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
                vm.books().controlPages(),
                stats.get(Counter.SEPT_PAGES),
                stats.get(Counter.PRIVATE_PAGES),
                vm.books().gmemPages(),
                vm.books().sharedPages(),
                vm.books().poolPages(),
                stats.get(Counter.LEAKED_PAGES),
                stats.get(Counter.LARGE_LEAVES));
    }

    @Override
    public KvmStats stats() {
        return vm.stats();
    }

    @Override
    public Contention contention() {
        return Contention.of(vm);
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
        for (GuestSeat seat : seats) {
            operations += seat.operations();
            accepted += seat.pagesAccepted();
            finished += seat.isFinished() ? 1 : 0;
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
        telling.lock();
        try {
            return moveTo(state, failure);
        } finally {
            telling.unlock();
        }
    }

    private boolean moveTo(TdState state, Optional<Refusal> failure) {
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
                listener.changed(next);
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
            listener.changed(snapshot());
            TdBuilder builder = new TdBuilder(host, vm, spec, cancelled);
            layout = builder.layout();
            Refusal refusal = builder.buildStructures();
            if (refusal == null) {
                become(TdState.CREATED, Optional.empty());
                refusal = builder.buildMemory();
            }
            if (refusal != null) {
                become(TdState.DELETING, Optional.of(refusal));
                boolean gone = tearDown(pagesLeft -> true);
                assert gone;
                return refusal;
            }
            vcpus = List.copyOf(builder.vcpus());
            conversionsOfBuild = conversions();
            seats = List.copyOf(builder.seats());
            drives = hands(builder.layout());
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
            for (HandDrive drive : drives) {
                if (drive.isTaken()) {
                    return Outcome.refused(new Refusal.VcpuDriven(id(), drive.index()));
                }
            }
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

    Outcome<TrustDomain> terminate() {
        Outcome<TrustDomain> dead =
                Outcome.refused(new Refusal.VmDead(id(), TdAction.TERMINATE.name()));
        if (TdAction.TERMINATE.legalFrom().contains(state()) && vm.isBugged()) {
            return dead;
        }
        int[] result = new int[1];
        Outcome<TrustDomain> ended = end(TdAction.TERMINATE, () -> result[0] = vm.terminate());
        return switch (result[0]) {
            case Errno.OK -> ended;
            case Errno.EIO -> dead; // bugged since we looked
            default ->
                    Outcome.refused(
                            new Refusal.HostError(
                                    "KVM_TDX_TERMINATE_VM",
                                    Errno.name(result[0]),
                                    "the KeyID is not released"));
        };
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
    Outcome<TdSnapshot> delete(DeleteWatch watch, Runnable gone) {
        actions.lock();
        try {
            if (!TdAction.DELETE.legalFrom().contains(state())
                    || !become(TdState.DELETING, Optional.empty())) {
                return Outcome.refused(new Refusal.WrongState(id(), TdAction.DELETE, state()));
            }
            evict();
            if (!tearDown(watch)) {
                become(TdState.STOPPED, Optional.empty());
                return Outcome.refused(new Refusal.Cancelled("the teardown"));
            }
            gone.run();
            TdSnapshot last = snapshot();
            subscriptions.forEach(Subscription::end);
            return Outcome.done(last);
        } finally {
            actions.unlock();
        }
    }

    /** Whether it came to its end. */
    private boolean tearDown(DeleteWatch watch) {
        if (!vm.destroy((done, total) -> watch.mayGoOn(total - done)).isFinished()) {
            return false;
        }
        listener.gone(snapshot());
        for (Subscription subscription : subscriptions) {
            subscription.end();
        }
        return true;
    }

    // ------------------------------------------------------------------ vCPUs by hand

    private List<HandDrive> hands(GuestLayout memory) {
        List<HandDrive> all = new ArrayList<>();
        for (KvmVcpu vcpu : vcpus) {
            all.add(new HandDrive(this, vcpu, seats.get(vcpu.index()), memory));
        }
        return List.copyOf(all);
    }

    Outcome<DrivenVcpu> drive(int index) {
        actions.lock();
        try {
            if (index >= spec.vcpus()) {
                return Outcome.refused(new Refusal.NoVcpu(id(), index));
            }
            if (!TdAction.RUN_VCPU.legalFrom().contains(state())) {
                return Outcome.refused(new Refusal.WrongState(id(), TdAction.RUN_VCPU, state()));
            }
            HandDrive drive = drives.get(index);
            return drive.isTaken()
                    ? Outcome.refused(new Refusal.VcpuDriven(id(), index))
                    : Outcome.done(drive.take());
        } finally {
            actions.unlock();
        }
    }

    List<VcpuSnapshot> vcpuSnapshots() {
        return drives.stream().map(HandDrive::snapshot).toList();
    }

    /** A driven vCPU counts among the live ones while it may be in the guest. */
    void enterByHand() {
        Cells.getAndAdd(words, LIVE, 1);
    }

    void leaveByHand() {
        Cells.getAndAdd(words, LIVE, -1);
        vcpusGone.wakeAll();
    }

    /** A driven vCPU cannot go on. */
    void failByHand(KvmVcpu vcpu, String reason) {
        fail(vcpu, reason);
    }

    // ------------------------------------------------------------------ memory

    /** Does something with the memory of a built TD, while no action on it is under way. */
    <T> Outcome<T> withMemory(String step, Function<KvmTdx, Outcome<T>> work) {
        if (!isBuilt()) {
            return notBuilt(step); // at once: a build holds the lock for as long as it takes
        }
        actions.lock();
        try {
            return isBuilt() ? work.apply(vm) : notBuilt(step);
        } finally {
            actions.unlock();
        }
    }

    private boolean isBuilt() {
        return switch (state()) {
            case CREATING, CREATED, DELETING -> false;
            case READY, RUNNING, PAUSED, STOPPING, STOPPED, FAILED -> true;
        };
    }

    private <T> Outcome<T> notBuilt(String step) {
        return Outcome.refused(new Refusal.NotBuilt(id(), step, state()));
    }

    /**
     * KVM_PRE_FAULT_MEMORY, which needs a vCPU that is not in KVM_RUN: one that runs comes out for
     * it and goes on afterwards, as for any ioctl of a vCPU.
     *
     * @return bytes that are mapped now, above 0
     */
    Outcome<Long> preFault(String step, @Gpa long gpa, long bytes) {
        return withMemory(
                step,
                memory -> {
                    boolean running = state() == TdState.RUNNING;
                    if (running) {
                        evict();
                    }
                    try {
                        KvmVcpu vcpu = vcpus.getFirst();
                        vcpu.allowRun();
                        PreFault range = new PreFault(gpa, bytes, 0);
                        int result = vcpu.preFaultMemory(range);
                        long mapped = bytes - range.size();
                        return mapped > 0
                                ? Outcome.done(mapped)
                                : Outcome.refused(HostGuestRam.failure(id(), memory, step, result));
                    } finally {
                        if (running && state() == TdState.RUNNING) {
                            launch();
                        }
                    }
                });
    }

    /** Whether guest memory lies at every page of a range. */
    boolean covers(@Gpa long gpa, long bytes) {
        GuestLayout known = layout;
        return known != null && known.covers(gpa, bytes);
    }

    /** Where it has memory, for people. */
    String memoryMap() {
        GuestLayout known = layout;
        return known == null
                ? "it is not built"
                : known.all().stream()
                        .map(range ->
                                Addresses.show(range.start())
                                        + " to "
                                        + Addresses.show(range.end() - 1))
                        .collect(Collectors.joining(", ", "it has ", ""));
    }

    // ------------------------------------------------------------------ vCPU threads

    private void launch() {
        drives.forEach(HandDrive::forget);
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
