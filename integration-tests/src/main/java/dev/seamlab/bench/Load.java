// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.bench;

import com.google.longrunning.GetOperationRequest;
import com.google.longrunning.Operation;
import com.google.longrunning.OperationsGrpc;
import com.google.longrunning.WaitOperationRequest;
import dev.seamlab.v1.AuditGrpc;
import dev.seamlab.v1.CreateTrustDomainRequest;
import dev.seamlab.v1.DeleteTrustDomainRequest;
import dev.seamlab.v1.GetMemoryReportRequest;
import dev.seamlab.v1.GetTrustDomainRequest;
import dev.seamlab.v1.GuestProgram;
import dev.seamlab.v1.HostGrpc;
import dev.seamlab.v1.ListSandboxesRequest;
import dev.seamlab.v1.MemoryReport;
import dev.seamlab.v1.RunAuditRequest;
import dev.seamlab.v1.SeamcallsGrpc;
import dev.seamlab.v1.StopTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.TrustDomain.State;
import dev.seamlab.v1.TrustDomainsGrpc;
import dev.seamlab.v1.WatchTrustDomainsRequest;
import dev.seamlab.v1.WatchTrustDomainsResponse;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.StreamObserver;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BooleanSupplier;

/**
 * A bounded load on a running server: what a call without work costs, and how many small trust
 * domains live and die per second while many clients watch. Ends with 1 where something was lost.
 */
public final class Load {
    private static final long SMALL = 16 << 20;
    private static final int BLOCK = 200;

    private final ManagedChannel channel;
    private final ManagedChannel watching;
    private final Options options;
    private final PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    /** What to do. */
    private record Options(String target, int seconds, int clients, int watchers) {
        static Options of(String[] args) {
            String target = "127.0.0.1:9870";
            int seconds = 20;
            int clients = 4;
            int watchers = 200;
            for (int i = 0; i < args.length; i += 2) {
                if (i + 1 == args.length) {
                    throw new IllegalArgumentException(args[i] + " needs a value");
                }
                switch (args[i]) {
                    case "--server" -> target = args[i + 1];
                    case "--seconds" -> seconds = Integer.parseInt(args[i + 1]);
                    case "--clients" -> clients = Integer.parseInt(args[i + 1]);
                    case "--watchers" -> watchers = Integer.parseInt(args[i + 1]);
                    default -> throw new IllegalArgumentException("no option " + args[i]);
                }
            }
            return new Options(target, seconds, clients, watchers);
        }
    }

    private Load(Options options) {
        this.options = options;
        this.channel = connect(options.target());
        this.watching = connect(options.target());
    }

    private static ManagedChannel connect(String target) {
        return Grpc.newChannelBuilder(target, InsecureChannelCredentials.create()).build();
    }

    /** {@code [--server HOST:PORT] [--seconds N] [--clients N] [--watchers N]}. */
    public static void main(String[] args) throws InterruptedException, ExecutionException {
        Options options;
        try {
            options = Options.of(args);
        } catch (IllegalArgumentException e) {
            System.err.println("bench: load: " + e.getMessage());
            System.exit(2);
            return;
        }
        System.exit(new Load(options).run() ? 0 : 1);
    }

    private boolean run() throws InterruptedException, ExecutionException {
        MemoryReport before = report();
        unary();
        List<Watcher> watchers = watch();
        cycles();
        boolean told = heard(watchers);
        long missed = watchers.stream().filter(Watcher::isOver).count();
        watching.shutdownNow();
        boolean memory = report().equals(before);
        int findings =
                AuditGrpc.newBlockingStub(channel)
                        .runAudit(RunAuditRequest.getDefaultInstance())
                        .getFindingsCount();
        out.println();
        line("memory report as before", memory ? "yes" : "NO");
        line("audit", findings + " findings");
        line("watch streams that ended early", missed);
        line("watchers that heard the last trust domain end", told ? "all" : "NOT ALL");
        channel.shutdownNow();
        return memory && findings == 0 && missed == 0 && told;
    }

    // A call without work

    private void unary() {
        out.println("One caller, one call after the other     calls/s    p50 us    p99 us");
        List<Caller> callers =
                List.of(
                        new Caller(
                                "Health.Check (gRPC's own, empty)",
                                () ->
                                        HealthGrpc.newBlockingStub(channel)
                                                .check(HealthCheckRequest.getDefaultInstance())),
                        new Caller(
                                "ListSandboxes (nothing to list)",
                                () ->
                                        SeamcallsGrpc.newBlockingStub(channel)
                                                .listSandboxes(
                                                        ListSandboxesRequest.getDefaultInstance())),
                        new Caller("GetOperation (NOT_FOUND, 3 details)", this::missingOperation));
        // In turns, so that what else happens on the machine happens to all.
        long budget = TimeUnit.SECONDS.toNanos(Math.max(3, options.seconds() / 4));
        runInTurns(callers, budget / 2);
        callers.forEach(Caller::forget);
        runInTurns(callers, budget);
        callers.forEach(caller -> caller.print(out));
        out.println();
    }

    private static void runInTurns(List<Caller> callers, long nanos) {
        long end = System.nanoTime() + nanos;
        while (System.nanoTime() < end) {
            callers.forEach(Caller::block);
        }
    }

    private void missingOperation() {
        try {
            OperationsGrpc.newBlockingStub(channel)
                    .getOperation(
                            GetOperationRequest.newBuilder().setName("operations/none").build());
            throw new AssertionError("there is an operations/none");
        } catch (StatusRuntimeException e) {
            if (e.getStatus().getCode() != Status.Code.NOT_FOUND) {
                throw e;
            }
        }
    }

    /** Times one call. */
    private static final class Caller {
        private final String name;
        private final Runnable call;
        private long[] nanos = new long[1 << 16];
        private int count;

        Caller(String name, Runnable call) {
            this.name = name;
            this.call = call;
        }

        void block() {
            for (int i = 0; i < BLOCK; i++) {
                long began = System.nanoTime();
                call.run();
                if (count == nanos.length) {
                    nanos = Arrays.copyOf(nanos, 2 * count);
                }
                nanos[count++] = System.nanoTime() - began;
            }
        }

        void forget() {
            count = 0;
        }

        void print(PrintStream out) {
            long[] sorted = Arrays.copyOf(nanos, count);
            Arrays.sort(sorted);
            double seconds = Arrays.stream(sorted).sum() / 1e9;
            out.printf(
                    Locale.ROOT,
                    "%-38s %9.0f %9.1f %9.1f%n",
                    name,
                    count / seconds,
                    sorted[count / 2] / 1e3,
                    sorted[(int) (count * 0.99)] / 1e3);
        }
    }

    // Watchers

    private List<Watcher> watch() {
        List<Watcher> watchers = new ArrayList<>();
        for (int i = 0; i < options.watchers(); i++) {
            Watcher watcher = new Watcher();
            TrustDomainsGrpc.newStub(watching)
                    .watchTrustDomains(WatchTrustDomainsRequest.getDefaultInstance(), watcher);
            watchers.add(watcher);
        }
        return watchers;
    }

    /** Counts what it hears. */
    private static final class Watcher implements StreamObserver<WatchTrustDomainsResponse> {
        private final AtomicLong messages = new AtomicLong();
        private final AtomicBoolean sawLast = new AtomicBoolean();
        private final AtomicBoolean sawLastEnd = new AtomicBoolean();
        private final AtomicBoolean over = new AtomicBoolean();

        @Override
        public void onNext(WatchTrustDomainsResponse message) {
            messages.incrementAndGet();
            if (message.getTrustDomain().getName().equals("trustDomains/last")) {
                (message.getDeleted() ? sawLastEnd : sawLast).set(true);
            }
        }

        @Override
        public void onError(Throwable e) {
            over.set(true);
        }

        @Override
        public void onCompleted() {
            over.set(true);
        }

        boolean isOver() {
            return over.get();
        }
    }

    /** One more trust domain, which all watchers must hear of although so much went by. */
    private boolean heard(List<Watcher> watchers) throws InterruptedException {
        Cycles last = new Cycles("last");
        last.create("last");
        boolean all = within30s(() -> watchers.stream().allMatch(w -> w.sawLast.get()));
        last.end("last");
        all &= within30s(() -> watchers.stream().allMatch(w -> w.sawLastEnd.get()));
        long messages = watchers.stream().mapToLong(watcher -> watcher.messages.get()).sum();
        line("watchers", watchers.size());
        line("messages to them", messages);
        return all;
    }

    private static boolean within30s(BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
        while (!condition.getAsBoolean() && System.nanoTime() < end) {
            TimeUnit.MILLISECONDS.sleep(20);
        }
        return condition.getAsBoolean();
    }

    // Trust domains

    private void cycles() throws InterruptedException, ExecutionException {
        List<Cycles> clients = new ArrayList<>();
        List<Future<?>> running = new ArrayList<>();
        long began = System.nanoTime();
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < options.clients(); i++) {
                Cycles client = new Cycles("load-" + i);
                clients.add(client);
                running.add(threads.submit(() -> client.runUntil(began + nanos())));
            }
            for (Future<?> each : running) {
                each.get();
            }
        }
        double seconds = (System.nanoTime() - began) / 1e9;
        long cycles = clients.stream().mapToLong(client -> client.cycles).sum();
        line("clients", clients.size());
        line("create-boot-destroy cycles", cycles);
        line("cycles per second", String.format(Locale.ROOT, "%.0f", cycles / seconds));
    }

    private long nanos() {
        return TimeUnit.SECONDS.toNanos(options.seconds());
    }

    /** One client: a trust domain after the other. */
    private final class Cycles {
        private final String id;
        private long cycles;

        Cycles(String id) {
            this.id = id;
        }

        void runUntil(long end) {
            while (System.nanoTime() < end) {
                create(id);
                awaitBoot(id);
                end(id);
                cycles++;
            }
        }

        void create(String name) {
            finish(
                    TrustDomainsGrpc.newBlockingStub(channel)
                            .createTrustDomain(
                                    CreateTrustDomainRequest.newBuilder()
                                            .setTrustDomainId(name)
                                            .setStart(true)
                                            .setTrustDomain(
                                                    TrustDomain.newBuilder()
                                                            .setMemoryBytes(SMALL)
                                                            .setVcpuCount(1)
                                                            .setGuestProgram(
                                                                    GuestProgram.newBuilder()
                                                                            .setBuiltIn(
                                                                                    "boot-lazy")))
                                            .build()));
        }

        private void awaitBoot(String name) {
            int booted;
            do {
                booted = get(name).getProgress().getFinishedVcpus();
            } while (booted == 0);
        }

        private TrustDomain get(String name) {
            return TrustDomainsGrpc.newBlockingStub(channel)
                    .getTrustDomain(
                            GetTrustDomainRequest.newBuilder()
                                    .setName("trustDomains/" + name)
                                    .build());
        }

        void end(String name) {
            if (get(name).getState() == State.RUNNING) {
                TrustDomain stopped =
                        TrustDomainsGrpc.newBlockingStub(channel)
                                .stopTrustDomain(
                                        StopTrustDomainRequest.newBuilder()
                                                .setName("trustDomains/" + name)
                                                .build());
                if (stopped.getState() != State.STOPPED) {
                    throw new IllegalStateException(name + " is " + stopped.getState());
                }
            }
            finish(
                    TrustDomainsGrpc.newBlockingStub(channel)
                            .deleteTrustDomain(
                                    DeleteTrustDomainRequest.newBuilder()
                                            .setName("trustDomains/" + name)
                                            .build()));
        }

        private void finish(Operation operation) {
            Operation now = operation;
            while (!now.getDone()) {
                now =
                        OperationsGrpc.newBlockingStub(channel)
                                .waitOperation(
                                        WaitOperationRequest.newBuilder()
                                                .setName(now.getName())
                                                .build());
            }
            if (now.hasError()) {
                throw new IllegalStateException(now.getName() + ": " + now.getError());
            }
        }
    }

    private MemoryReport report() {
        return HostGrpc.newBlockingStub(channel)
                .getMemoryReport(GetMemoryReportRequest.getDefaultInstance());
    }

    private void line(String what, Object figure) {
        out.printf("%-46s %12s%n", what, figure);
    }
}
