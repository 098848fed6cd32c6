// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.it;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.seamlab.v1.AddressSpan;
import dev.seamlab.v1.CreateSandboxRequest;
import dev.seamlab.v1.DeleteSandboxRequest;
import dev.seamlab.v1.LeafSelector;
import dev.seamlab.v1.Registers;
import dev.seamlab.v1.RunAuditRequest;
import dev.seamlab.v1.Sandbox;
import dev.seamlab.v1.SeamcallRecord;
import dev.seamlab.v1.SeamcallRequest;
import dev.seamlab.v1.SeamcallResponse;
import dev.seamlab.v1.SeamcallsGrpc;
import dev.seamlab.v1.WatchSeamcallsRequest;
import dev.seamlab.v1.WatchSeamcallsResponse;
import dev.seamlab.v1.WriteMemoryRequest;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * The raw module as a user of it works: registers and memory over gRPC, nothing else. Offsets and
 * field ids are written out, so that the test agrees with the ABI and not with our own constants.
 */
class SeamcallsIT {
    private static final long GIB = 1L << 30;
    private static final long FEATURES0 = 0x0A00_0003_0000_0008L;
    private static final long DYNAMIC_PAMT = 1L << 16;

    private static Server server;

    @BeforeAll
    static void start() {
        server = Server.start();
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    @Test
    void sandbox_broughtUpByRawCalls_isReadyAndItsMemoryInitialized() {
        Sandbox machine = create("bring-up");
        bringUp(machine);
        long base = tdmr(machine).getStart();
        // A page of the TDMR can be looked at now, and belongs to nobody.
        SeamcallResponse page =
                ok(call(machine, 0, "TDH.PHYMEM.PAGE.RDMD", registers().setRcx(base)));
        assertThat(page.getRegisters().getRdx()).as("owner").isZero();
        // Dynamic PAMT is on: a TDR needs a page pair first.
        Registers.Builder create =
                registers().setRcx(base + GIB / 2).setRdx(machine.getFirstPrivateKeyId() + 1);
        assertThat(call(machine, 0, "TDH.MNG.CREATE", create).getStatus().getName())
                .isEqualTo("MISSING_PAMT_PAGE_PAIR");
        long pair = base + GIB - (4 << 20);
        ok(
                call(
                        machine,
                        0,
                        "TDH.PHYMEM.PAMT.ADD",
                        registers().setRcx((base + GIB / 2) | 1).setRdx(pair).setR8(pair + 4096)));
        ok(call(machine, 0, "TDH.MNG.CREATE", create));
        delete(machine);
    }

    @Test
    void log_ofABringUp_hasEveryCallInItsOrder() {
        Sandbox machine = create("logged");
        Iterator<WatchSeamcallsResponse> log =
                stub().watchSeamcalls(
                                WatchSeamcallsRequest.newBuilder()
                                        .setSandbox(machine.getName())
                                        .addLeaves("TDH.SYS.INIT")
                                        .addLeaves("TDH.SYS.CONFIG")
                                        .addLeaves("TDH.SYS.KEY.CONFIG")
                                        .build());
        assertThat(log.next().getCallsCount()).isZero();
        bringUp(machine);
        List<String> names = new ArrayList<>();
        while (names.size() < 2 + machine.getPackageCount()) {
            for (SeamcallRecord record : log.next().getCallsList()) {
                names.add(record.getLeafName());
            }
        }
        assertThat(names)
                .startsWith("TDH.SYS.INIT", "TDH.SYS.CONFIG", "TDH.SYS.KEY.CONFIG")
                .hasSize(2 + machine.getPackageCount());
        delete(machine);
    }

    @Test
    void host_askedByRawCalls_answersAndStaysSound() {
        SeamcallResponse answer =
                stub().call(
                                SeamcallRequest.newBuilder()
                                        .setLeaf(LeafSelector.newBuilder().setName("TDH.SYS.RD"))
                                        .setRegisters(registers().setRdx(FEATURES0))
                                        .build());
        assertThat(ok(answer).getRegisters().getR8()).isNotZero();
        assertThat(server.audit().runAudit(RunAuditRequest.getDefaultInstance()).getFindingsList())
                .isEmpty();
    }

    @Test
    void explain_onTheCommandLine_needsNoServer() {
        Application.Result result = Application.run("explain", "0xC000030400000001");
        assertThat(result.exitCode()).as(result.err()).isZero();
        assertThat(result.out())
                .contains("HPA_RANGE_NOT_FREE")
                .contains("page metadata")
                .contains("not recoverable")
                .contains("RCX")
                .contains("2M range");
    }

    @Test
    void explain_ofNoStatus_saysWhatWouldBeOne() {
        Application.Result result = Application.run("explain", "NO_SUCH_STATUS");
        assertThat(result.exitCode()).isEqualTo(2);
        assertThat(result.err()).contains("NO_SUCH_STATUS").contains("0x");
    }

    @Test
    void seamcall_onTheCommandLine_printsStatusAndRegisters() {
        String at = "--server=127.0.0.1:" + server.grpcPort();
        Application.Result call =
                Application.run("seamcall", "call", at, "TDH.SYS.RD", "rdx=0x0A00000300000008");
        assertThat(call.exitCode()).as(call.err()).isZero();
        assertThat(call.out()).contains("SUCCESS").contains("r8");
        Application.Result refused = Application.run("seamcall", "call", at, "TDH.SYS.INIT");
        assertThat(refused.exitCode()).isEqualTo(3);
        assertThat(refused.out()).contains("SYS_INIT_NOT_PENDING");
        Application.Result bad = Application.run("seamcall", "call", at, "TDH.SYS.RD", "rzx=1");
        assertThat(bad.exitCode()).isEqualTo(2);
        assertThat(bad.err()).contains("rzx").contains("rdx");
        Application.Result list = Application.run("seamcall", "list", at);
        assertThat(list.out()).contains("TDH.MEM.PAGE.AUG").doesNotContain("EXPORT");
    }

    private void bringUp(Sandbox machine) {
        ok(call(machine, 0, "TDH.SYS.INIT", registers()));
        for (int cpu = 0; cpu < machine.getCpuCount(); cpu++) {
            ok(call(machine, cpu, "TDH.SYS.LP.INIT", registers()));
        }
        SeamcallResponse features =
                ok(call(machine, 0, "TDH.SYS.RD", registers().setRdx(FEATURES0)));
        boolean dynamic = features.getRegisters().getR8() << 27 < 0; // bit 36
        AddressSpan tdmr = tdmr(machine);
        long info = tdmr.getStart() + GIB; // the GiB after the TDMR is ours
        long pamt = info + (1 << 20);
        write(machine, info, tdmrInfo(tdmr.getStart(), pamt));
        write(machine, info + 4096, qwords(info));
        ok(
                call(
                        machine,
                        0,
                        "TDH.SYS.CONFIG",
                        registers()
                                .setRcx(info + 4096)
                                .setRdx(1)
                                .setR8(
                                        machine.getFirstPrivateKeyId()
                                                | (dynamic ? DYNAMIC_PAMT : 0))));
        int cpusPerPackage = machine.getCpuCount() / machine.getPackageCount();
        for (int p = 0; p < machine.getPackageCount(); p++) {
            ok(call(machine, p * cpusPerPackage, "TDH.SYS.KEY.CONFIG", registers()));
        }
        long next = tdmr.getStart();
        while (next < tdmr.getEnd()) {
            SeamcallResponse step =
                    ok(call(machine, 0, "TDH.SYS.TDMR.INIT", registers().setRcx(tdmr.getStart())));
            next = step.getRegisters().getRdx();
        }
    }

    /** The first whole GiB of convertible memory that has another one behind it. */
    private static AddressSpan tdmr(Sandbox machine) {
        for (AddressSpan cmr : machine.getCmrsList()) {
            long base = (cmr.getStart() + GIB - 1) / GIB * GIB;
            if (base + 2 * GIB <= cmr.getEnd()) {
                return AddressSpan.newBuilder().setStart(base).setEnd(base + GIB).build();
            }
        }
        throw new AssertionError("no two GiB of convertible memory in " + machine);
    }

    /** Base, size, then base and size of the PAMT areas for 1G, 2M and 4K; nothing reserved. */
    private static byte[] tdmrInfo(long base, long pamt) {
        long static4k = GIB / 4096 * 16; // more than the bitmap of Dynamic PAMT needs
        long[] words = new long[40];
        long[] head = {
            base, GIB, pamt, 4096, pamt + 4096, 8192, pamt + (1 << 20), static4k,
        };
        System.arraycopy(head, 0, words, 0, head.length);
        return qwords(words);
    }

    private static byte[] qwords(long... words) {
        ByteBuffer bytes = ByteBuffer.allocate(8 * words.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asLongBuffer().put(words);
        return bytes.array();
    }

    private static Registers.Builder registers() {
        return Registers.newBuilder();
    }

    private static SeamcallsGrpc.SeamcallsBlockingStub stub() {
        return server.seamcalls();
    }

    private static Sandbox create(String id) {
        return stub().createSandbox(CreateSandboxRequest.newBuilder().setSandboxId(id).build());
    }

    private static void delete(Sandbox machine) {
        var _ =
                stub().deleteSandbox(
                                DeleteSandboxRequest.newBuilder()
                                        .setName(machine.getName())
                                        .build());
    }

    private static SeamcallResponse call(
            Sandbox machine, int cpu, String leaf, Registers.Builder registers) {
        return stub().call(
                        SeamcallRequest.newBuilder()
                                .setSandbox(machine.getName())
                                .setCpu(cpu)
                                .setLeaf(LeafSelector.newBuilder().setName(leaf))
                                .setRegisters(registers)
                                .build());
    }

    private static SeamcallResponse ok(SeamcallResponse answer) {
        assertThat(answer.getStatus().getName()).isEqualTo("SUCCESS");
        return answer;
    }

    private static void write(Sandbox machine, long hpa, byte[] data) {
        var _ =
                stub().writeMemory(
                                WriteMemoryRequest.newBuilder()
                                        .setSandbox(machine.getName())
                                        .setHpa(hpa)
                                        .setData(ByteString.copyFrom(data))
                                        .build());
    }
}
