// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.memory;

import static dev.seamlab.control.GrpcLab.FOR_EVER;
import static dev.seamlab.control.GrpcLab.SMALL;
import static dev.seamlab.control.GrpcLab.code;
import static dev.seamlab.control.GrpcLab.field;
import static dev.seamlab.control.GrpcLab.reason;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import dev.seamlab.control.GrpcLab;
import dev.seamlab.v1.ConvertMemoryRequest;
import dev.seamlab.v1.GetPageInfoRequest;
import dev.seamlab.v1.GuestAddress;
import dev.seamlab.v1.ListMappingsRequest;
import dev.seamlab.v1.ListMappingsResponse;
import dev.seamlab.v1.Mapping;
import dev.seamlab.v1.MemoryAttribute;
import dev.seamlab.v1.MemoryGrpc;
import dev.seamlab.v1.PageInfo;
import dev.seamlab.v1.PreFaultMemoryRequest;
import dev.seamlab.v1.PunchHoleRequest;
import dev.seamlab.v1.ReadGuestMemoryRequest;
import dev.seamlab.v1.SeptState;
import dev.seamlab.v1.TrustDomain.State;
import dev.seamlab.v1.WriteGuestMemoryRequest;
import io.grpc.Context;
import io.grpc.Status;
import io.quarkus.test.junit.QuarkusTest;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Guest memory over real gRPC; each test leaves the host as it found it. */
@QuarkusTest
class MemoryServiceTest {
    private static final long PAGE = 4096;
    private static final long CHUNK = 64 * PAGE;
    private static final String NOBODY = "trustDomains/nobody";

    @ConfigProperty(name = "quarkus.grpc.server.test-port")
    int port;

    private GrpcLab lab;

    @BeforeEach
    void connect() {
        lab = new GrpcLab(port);
    }

    @AfterEach
    void everythingIsAsBefore() {
        lab.close();
    }

    @Test
    void mappings_ofABuiltTrustDomain_areWhatTheModuleHolds() {
        String name = lab.create("mapped", "idle");
        List<Mapping> all = mappings(name, 0);
        assertThat(all).isNotEmpty();
        assertThat(all)
                .allSatisfy(mapping -> {
                    assertThat(mapping.getAttribute())
                            .isEqualTo(MemoryAttribute.MEMORY_ATTRIBUTE_PRIVATE);
                    assertThat(mapping.getSeptState()).isEqualTo(SeptState.SEPT_STATE_MAPPED);
                    assertThat(mapping.getLevel()).isZero();
                });
        assertThat(all.stream().mapToLong(Mapping::getSizeBytes).sum())
                .isEqualTo(lab.get(name).getMemory().getPrivatePages() * PAGE);
        for (int i = 1; i < all.size(); i++) {
            Mapping before = all.get(i - 1);
            assertThat(all.get(i).getGpa())
                    .as("alike neighbours are joined")
                    .isGreaterThan(before.getGpa() + before.getSizeBytes());
        }
    }

    @Test
    void mappings_pageByPage_areTheSameAsAtOnce() {
        String name = lab.create("paged", "idle");
        assertThat(mappings(name, 1)).isEqualTo(mappings(name, 0));
    }

    @Test
    void mappings_thatChangeBetweenPages_areSeenOrNotByTheirAddressAlone() {
        String name = lab.create("moving", "idle");
        long gap = gap(name);
        preFault(name, gap, PAGE);
        preFault(name, gap + 2 * PAGE, PAGE);
        preFault(name, gap + 4 * PAGE, PAGE);
        ListMappingsResponse page = page(name, 1, "");
        while (page.getMappings(0).getGpa() < gap) {
            page = page(name, 1, page.getNextPageToken());
        }
        assertThat(page.getMappings(0).getGpa()).isEqualTo(gap);
        // One before the place goes, the next goes, and a later one stays.
        assertThat(punch(name, gap, 3 * PAGE)).isEqualTo(2);
        page = page(name, 1, page.getNextPageToken());
        assertThat(page.getMappings(0).getGpa()).isEqualTo(gap + 4 * PAGE);
    }

    @Test
    void mappings_withATokenOfAnother_areRefused() {
        String one = lab.create("one", "idle");
        String other = lab.create("other", "idle");
        String token = page(one, 1, "").getNextPageToken();
        assertThat(token).isNotEmpty();
        assertThat(field(() -> page(other, 1, token))).isEqualTo("page_token");
        assertThat(field(() -> page(one, 1, "nonsense"))).isEqualTo("page_token");
        assertThat(field(() -> page(one, 10_001, ""))).isEqualTo("page_size");
        assertThat(code(() -> page(NOBODY, 1, ""))).isEqualTo(Status.Code.NOT_FOUND);
        assertThat(field(() -> page("nobody", 1, ""))).isEqualTo("parent");
    }

    @Test
    void convert_toShared_takesPrivateMappingsAway_andBackMapsNothing() {
        String name = lab.create("converted", "idle");
        long gap = gap(name);
        preFault(name, gap, CHUNK);
        assertThat(convert(name, gap, CHUNK, MemoryAttribute.MEMORY_ATTRIBUTE_SHARED))
                .isEqualTo(64);
        assertThat(page(name, gap).getAttribute())
                .isEqualTo(MemoryAttribute.MEMORY_ATTRIBUTE_SHARED);
        assertThat(covering(name, gap)).isNull();
        assertThat(convert(name, gap, CHUNK, MemoryAttribute.MEMORY_ATTRIBUTE_PRIVATE)).isZero();
        assertThat(covering(name, gap)).isNull();
        assertThat(page(name, gap).getSeptState()).isEqualTo(SeptState.SEPT_STATE_FREE);
    }

    @Test
    void preFault_ofATrustDomainAtRest_leavesPendingPages_andPunchGivesThemBack() {
        String name = lab.create("prefaulted", "idle");
        long gap = gap(name);
        assertThat(preFault(name, gap, CHUNK)).isEqualTo(CHUNK);
        Mapping mapped = covering(name, gap);
        assertThat(mapped).isNotNull();
        assertThat(mapped.getSeptState()).isEqualTo(SeptState.SEPT_STATE_PENDING);
        assertThat(mapped.getSizeBytes()).isEqualTo(CHUNK);
        assertThat(punch(name, gap, CHUNK)).isEqualTo(64);
        assertThat(punch(name, gap, CHUNK)).isZero();
        assertThat(covering(name, gap)).isNull();
    }

    @Test
    void preFault_ofARunningTrustDomain_letsItGoOn() {
        String name = lab.create("running", FOR_EVER);
        long gap = gap(name);
        assertThat(lab.start(name).getState()).isEqualTo(State.RUNNING);
        assertThat(preFault(name, gap, CHUNK)).isEqualTo(CHUNK);
        assertThat(lab.get(name).getState()).isEqualTo(State.RUNNING);
        long done = lab.get(name).getProgress().getOperations();
        while (lab.get(name).getProgress().getOperations() == done) {
            Thread.onSpinWait(); // the test's deadline is that of its calls
        }
    }

    @Test
    void preFault_ofAStoppedTrustDomain_works() {
        String name = lab.create("stopped", FOR_EVER);
        long gap = gap(name);
        assertThat(lab.start(name).getState()).isEqualTo(State.RUNNING);
        assertThat(lab.stop(name).getState()).isEqualTo(State.STOPPED);
        assertThat(preFault(name, gap, PAGE)).isEqualTo(PAGE);
    }

    @Test
    void preFault_whoseDeadlinePasses_endsAndLeavesTheHostSound() {
        String name = lab.create("hurried", "idle");
        assertThat(
                        code(() ->
                                MemoryGrpc.newBlockingStub(lab.channel())
                                        .withDeadlineAfter(1, TimeUnit.MICROSECONDS)
                                        .preFaultMemory(
                                                PreFaultMemoryRequest.newBuilder()
                                                        .setName(name)
                                                        .setGpa(0)
                                                        .setSizeBytes(SMALL)
                                                        .build())))
                .isEqualTo(Status.Code.DEADLINE_EXCEEDED);
    }

    @Test
    void mappings_whoseClientHangsUp_endAndLeaveTheHostSound() {
        String name = lab.create("left", "idle");
        Context.CancellableContext call = Context.current().withCancellation();
        call.cancel(null);
        call.run(() -> assertThat(code(() -> page(name, 1, ""))).isEqualTo(Status.Code.CANCELLED));
    }

    @Test
    void contents_ofSharedMemory_areReadAndWritten() {
        String name = lab.create("sharing", "idle");
        long gap = gap(name);
        assertThat(convert(name, gap, CHUNK, MemoryAttribute.MEMORY_ATTRIBUTE_SHARED)).isZero();
        assertThat(read(name, gap, 16)).isEqualTo(ByteString.copyFrom(new byte[16]));
        ByteString text = ByteString.copyFromUtf8("across two pages");
        write(name, gap + PAGE - 8, text);
        assertThat(read(name, gap + PAGE - 8, 16)).isEqualTo(text);
    }

    @Test
    void contents_ofPrivateMemory_areClosed() {
        String name = lab.create("closed", "idle");
        long mapped = mappings(name, 0).getFirst().getGpa();
        assertThat(reason(() -> read(name, mapped, 8))).isEqualTo("NOT_ALLOWED_BY_TDX");
        assertThat(code(() -> read(name, mapped, 8))).isEqualTo(Status.Code.FAILED_PRECONDITION);
        assertThat(
                        reason(() -> {
                            write(name, mapped, ByteString.copyFrom(new byte[8]));
                            return name;
                        }))
                .isEqualTo("NOT_ALLOWED_BY_TDX");
    }

    @Test
    void contents_ofPrivateMemory_ofADebugTrustDomain_goThroughTheModule() {
        String name = lab.create("debugged", "idle", true);
        long mapped = mappings(name, 0).getFirst().getGpa();
        ByteString text = ByteString.copyFromUtf8("01234567abcdefgh");
        write(name, mapped, text);
        assertThat(read(name, mapped, 16)).isEqualTo(text);
        assertThat(reason(() -> read(name, gap(name), 8))).isEqualTo("EPT_ENTRY_NOT_PRESENT");
    }

    @Test
    void page_ofAGuest_isKnownToHostAndModule() {
        String name = lab.create("known", "idle");
        long mapped = mappings(name, 0).getFirst().getGpa();
        PageInfo guest = page(name, mapped + 8);
        assertThat(guest.hasHpa()).isTrue();
        assertThat(guest.getPageType()).isEqualTo("REG");
        assertThat(guest.getHolder()).isEqualTo("guest_memfd");
        assertThat(guest.getTrustDomain()).isEqualTo(name);
        assertThat(guest.getRangeRefcount()).isPositive();
        assertThat(guest.getSeptState()).isEqualTo(SeptState.SEPT_STATE_MAPPED);
        PageInfo same = page(guest.getHpa() + 8);
        assertThat(same).isEqualTo(guest.toBuilder().clearAttribute().clearSeptState().build());
        PageInfo tdr = page(guest.getOwnerTdrHpa());
        assertThat(tdr.getPageType()).isEqualTo("TDR");
        assertThat(tdr.getHolder()).isEqualTo("td-control");
        assertThat(page(name, gap(name)).hasHpa()).isFalse();
    }

    @Test
    void page_outsideOfAllRam_isKnownToNobody() {
        PageInfo nowhere = page(1L << 50);
        assertThat(nowhere.getPageType()).isEmpty();
        assertThat(nowhere.getHolder()).isEmpty();
        assertThat(field(() -> page(1L << 52))).isEqualTo("hpa");
        assertThat(field(() -> memory().getPageInfo(GetPageInfoRequest.getDefaultInstance())))
                .isEqualTo("page");
    }

    @Test
    void requests_forWhatCannotBe_areRefusedByField() {
        String name = lab.create("strict", "idle");
        assertThat(field(() -> preFault(name, 1, PAGE))).isEqualTo("gpa");
        assertThat(field(() -> preFault(name, 0, 1))).isEqualTo("size_bytes");
        assertThat(field(() -> preFault(name, 0, 0))).isEqualTo("size_bytes");
        assertThat(field(() -> preFault(name, 1L << 40, PAGE))).isEqualTo("gpa");
        assertThat(field(() -> preFault(name, -PAGE, PAGE))).isEqualTo("gpa");
        assertThat(field(() -> punch(name, 0, Long.MAX_VALUE & -PAGE))).isEqualTo("gpa");
        assertThat(
                        field(() ->
                                convert(
                                        name,
                                        0,
                                        PAGE,
                                        MemoryAttribute.MEMORY_ATTRIBUTE_UNSPECIFIED)))
                .isEqualTo("attribute");
        assertThat(field(() -> read(name, 4, 8))).isEqualTo("gpa");
        assertThat(field(() -> read(name, 0, 12))).isEqualTo("size_bytes");
        assertThat(field(() -> read(name, 0, 65_544))).isEqualTo("size_bytes");
        assertThat(field(() -> page(name, 1L << 40))).isEqualTo("guest.gpa");
    }

    @Test
    void requests_forATrustDomainThatIsNot_areNotFound() {
        assertThat(code(() -> preFault(NOBODY, 0, PAGE))).isEqualTo(Status.Code.NOT_FOUND);
        assertThat(code(() -> punch(NOBODY, 0, PAGE))).isEqualTo(Status.Code.NOT_FOUND);
        assertThat(code(() -> convert(NOBODY, 0, PAGE, MemoryAttribute.MEMORY_ATTRIBUTE_SHARED)))
                .isEqualTo(Status.Code.NOT_FOUND);
        assertThat(code(() -> read(NOBODY, 0, 8))).isEqualTo(Status.Code.NOT_FOUND);
        assertThat(code(() -> page(NOBODY, 0))).isEqualTo(Status.Code.NOT_FOUND);
        assertThat(
                        code(() -> {
                            write(NOBODY, 0, ByteString.copyFrom(new byte[8]));
                            return NOBODY;
                        }))
                .isEqualTo(Status.Code.NOT_FOUND);
    }

    // ------------------------------------------------------------------ helpers

    private MemoryGrpc.MemoryBlockingStub memory() {
        return MemoryGrpc.newBlockingStub(lab.channel()).withDeadlineAfter(30, TimeUnit.SECONDS);
    }

    private ListMappingsResponse page(String name, int size, String token) {
        return memory().listMappings(
                        ListMappingsRequest.newBuilder()
                                .setParent(name)
                                .setPageSize(size)
                                .setPageToken(token)
                                .build());
    }

    private List<Mapping> mappings(String name, int size) {
        List<Mapping> all = new ArrayList<>();
        String token = "";
        do {
            ListMappingsResponse page = page(name, size, token);
            all.addAll(page.getMappingsList());
            token = page.getNextPageToken();
        } while (!token.isEmpty());
        return all;
    }

    private Mapping covering(String name, long gpa) {
        return mappings(name, 0).stream()
                .filter(m -> m.getGpa() <= gpa && gpa < m.getGpa() + m.getSizeBytes())
                .findFirst()
                .orElse(null);
    }

    /** Private RAM with a page before it and CHUNK and a page in it that is not mapped. */
    private long gap(String name) {
        List<Mapping> all = mappings(name, 0);
        long end = SMALL - CHUNK - PAGE;
        for (long gpa = PAGE; gpa < end; gpa += PAGE) {
            long at = gpa;
            boolean free =
                    all.stream()
                            .noneMatch(m ->
                                    m.getGpa() <= at + CHUNK
                                            && at - PAGE < m.getGpa() + m.getSizeBytes());
            if (free) {
                return gpa;
            }
        }
        throw new AssertionError("all is mapped: " + all);
    }

    private long preFault(String name, long gpa, long bytes) {
        return memory().preFaultMemory(
                        PreFaultMemoryRequest.newBuilder()
                                .setName(name)
                                .setGpa(gpa)
                                .setSizeBytes(bytes)
                                .build())
                .getMappedBytes();
    }

    private long punch(String name, long gpa, long bytes) {
        return memory().punchHole(
                        PunchHoleRequest.newBuilder()
                                .setName(name)
                                .setGpa(gpa)
                                .setSizeBytes(bytes)
                                .build())
                .getFreedPages();
    }

    private long convert(String name, long gpa, long bytes, MemoryAttribute attribute) {
        return memory().convertMemory(
                        ConvertMemoryRequest.newBuilder()
                                .setName(name)
                                .setGpa(gpa)
                                .setSizeBytes(bytes)
                                .setAttribute(attribute)
                                .build())
                .getRemovedPages();
    }

    private ByteString read(String name, long gpa, int bytes) {
        return memory().readGuestMemory(
                        ReadGuestMemoryRequest.newBuilder()
                                .setName(name)
                                .setGpa(gpa)
                                .setSizeBytes(bytes)
                                .build())
                .getData();
    }

    private void write(String name, long gpa, ByteString data) {
        var _ =
                memory().writeGuestMemory(
                                WriteGuestMemoryRequest.newBuilder()
                                        .setName(name)
                                        .setGpa(gpa)
                                        .setData(data)
                                        .build());
    }

    private PageInfo page(String name, long gpa) {
        return memory().getPageInfo(
                        GetPageInfoRequest.newBuilder()
                                .setGuest(
                                        GuestAddress.newBuilder().setTrustDomain(name).setGpa(gpa))
                                .build());
    }

    private PageInfo page(long hpa) {
        return memory().getPageInfo(GetPageInfoRequest.newBuilder().setHpa(hpa).build());
    }
}
