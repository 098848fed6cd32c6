// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.cli;

import com.google.longrunning.Operation;
import com.google.protobuf.ByteString;
import com.google.protobuf.Empty;
import dev.seamlab.v1.AuditReport;
import dev.seamlab.v1.CreateTrustDomainRequest;
import dev.seamlab.v1.DeleteTrustDomainRequest;
import dev.seamlab.v1.Firmware;
import dev.seamlab.v1.GetHostRequest;
import dev.seamlab.v1.GetMemoryReportRequest;
import dev.seamlab.v1.GetTrustDomainRequest;
import dev.seamlab.v1.GuestProgram;
import dev.seamlab.v1.HostInfo;
import dev.seamlab.v1.MemoryReport;
import dev.seamlab.v1.RunAuditRequest;
import dev.seamlab.v1.StartTrustDomainRequest;
import dev.seamlab.v1.StopTrustDomainRequest;
import dev.seamlab.v1.TrustDomain;
import dev.seamlab.v1.TrustDomain.State;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.UUID;

/** Three trust domains from birth to death, told by a client. */
final class Demo {
    /** One of the three. */
    private record Role(String id, long memory, int vcpus, String guest) {}

    private static final List<Role> ROLES =
            List.of(
                    new Role("web", 256L << 20, 2, "boot-lazy percent=50"),
                    new Role("cache", 128L << 20, 1, "touch-all"),
                    new Role("batch", 512L << 20, 2, "convert-storm rounds=200 pages=64"));

    private final Client client;
    private final String target;
    private final ByteString firmware;
    private final PrintWriter out;

    Demo(Client client, String target, ByteString firmware, PrintWriter out) {
        this.client = client;
        this.target = target;
        this.firmware = firmware;
        this.out = out;
    }

    /** Runs all acts. Returns the exit code. */
    int run() {
        HostInfo host = client.host().getHost(GetHostRequest.getDefaultInstance());
        MemoryReport before = report();
        introduce(host, before);
        List<TrustDomain> all = create();
        runToCompletion(all);
        tellMemory(host.getDynamicPamt());
        destroy(all);
        return verify(before);
    }

    private void introduce(HostInfo host, MemoryReport memory) {
        out.printf(
                "An emulated TDX host, gRPC on %s%n  %s: %s%n  TDX module %s, preset %s, %s PAMT,"
                        + " %d KeyIDs for guests%n%n",
                target,
                host.getProfile(),
                host.getDescription(),
                host.getModuleVersion(),
                host.getPreset(),
                host.getDynamicPamt() ? "dynamic" : "static",
                memory.getKeyIds().getTotal());
        out.flush();
    }

    private List<TrustDomain> create() {
        out.println("Creating three trust domains");
        List<Operation> pending = new ArrayList<>();
        for (Role role : ROLES) {
            TrustDomain.Builder wanted =
                    TrustDomain.newBuilder()
                            .setMemoryBytes(role.memory())
                            .setVcpuCount(role.vcpus())
                            .setGuestProgram(GuestProgram.newBuilder().setText(role.guest()));
            if (!firmware.isEmpty()) {
                wanted.setFirmware(Firmware.newBuilder().setImage(firmware));
            }
            pending.add(
                    client.trustDomains()
                            .createTrustDomain(
                                    CreateTrustDomainRequest.newBuilder()
                                            .setTrustDomainId(role.id())
                                            .setTrustDomain(wanted)
                                            .setRequestId(UUID.randomUUID().toString())
                                            .build()));
        }
        List<TrustDomain> all = new ArrayList<>();
        Table table =
                new Table(
                        Table.Align.LEFT,
                        Table.Align.RIGHT,
                        Table.Align.RIGHT,
                        Table.Align.LEFT,
                        Table.Align.LEFT);
        for (Operation operation : pending) {
            TrustDomain td = client.await(operation, TrustDomain.class);
            all.add(td);
            table.row(
                    MemoryStory.shortName(td.getName()),
                    Sizes.show(td.getMemoryBytes()),
                    td.getVcpuCount() + (td.getVcpuCount() == 1 ? " vCPU " : " vCPUs"),
                    td.getGuestProgram().getText(),
                    "MRTD " + abbreviate(td.getMrtd()));
        }
        table.print(out, "  ");
        out.println();
        return all;
    }

    private void runToCompletion(List<TrustDomain> all) {
        out.println("Running their guests");
        DemoBoard board = new DemoBoard(out, all.size());
        for (TrustDomain td : all) {
            client.trustDomains()
                    .startTrustDomain(
                            StartTrustDomainRequest.newBuilder().setName(td.getName()).build());
        }
        try (DemoWatch watch = new DemoWatch(client, all, board)) {
            watch.untilDone();
        }
        for (TrustDomain td : all) {
            TrustDomain now = get(td.getName());
            if (now.getState() == State.FAILED) {
                throw new CommandFailure(
                        ExitCodes.CHECK_FAILED,
                        now.getName() + " failed: " + now.getFailure().getMessage());
            }
            if (now.getState() == State.RUNNING) {
                client.trustDomains()
                        .stopTrustDomain(
                                StopTrustDomainRequest.newBuilder().setName(td.getName()).build());
            }
        }
        out.println();
    }

    private void tellMemory(boolean dynamic) {
        MemoryReport report = report();
        out.println("What their memory costs the host");
        MemoryStory.printTrustDomains(out, report);
        out.println();
        MemoryStory.print(out, report, dynamic);
        out.println();
    }

    private void destroy(List<TrustDomain> all) {
        List<Operation> pending = new ArrayList<>();
        for (TrustDomain td : all) {
            pending.add(
                    client.trustDomains()
                            .deleteTrustDomain(
                                    DeleteTrustDomainRequest.newBuilder()
                                            .setName(td.getName())
                                            .build()));
        }
        pending.forEach(operation -> client.await(operation, Empty.class));
    }

    /** Everything must be as it was. */
    private int verify(MemoryReport before) {
        MemoryReport after = report();
        AuditReport audit = client.audit().runAudit(RunAuditRequest.getDefaultInstance());
        out.println("After destroying them");
        long dynamic = after.getPamt().getDynamicBytes();
        boolean sound = check(dynamic == 0, "dynamic PAMT: " + dynamic + " bytes");
        sound &=
                check(
                        after.getFreeBytes() == before.getFreeBytes(),
                        "free memory: "
                                + (after.getFreeBytes() - before.getFreeBytes())
                                + " bytes from where it was");
        sound &=
                check(
                        after.getKeyIds().getUsed() == before.getKeyIds().getUsed(),
                        "KeyIDs: " + after.getKeyIds().getUsed() + " in use");
        sound &= check(audit.getFindingsCount() == 0, AuditCommand.summary(audit));
        audit.getFindingsList()
                .forEach(f -> out.println("    " + f.getRule() + ": " + f.getDescription()));
        out.flush();
        return sound ? ExitCodes.OK : ExitCodes.CHECK_FAILED;
    }

    private boolean check(boolean holds, String line) {
        out.println((holds ? "  ok    " : "  WRONG ") + line);
        return holds;
    }

    private MemoryReport report() {
        return client.host().getMemoryReport(GetMemoryReportRequest.getDefaultInstance());
    }

    private TrustDomain get(String name) {
        return client.trustDomains()
                .getTrustDomain(GetTrustDomainRequest.newBuilder().setName(name).build());
    }

    private static String abbreviate(ByteString digest) {
        String hex = HexFormat.of().formatHex(digest.toByteArray());
        return hex.length() <= 24
                ? hex
                : hex.substring(0, 16) + "…" + hex.substring(hex.length() - 8);
    }
}
