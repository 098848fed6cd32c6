// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.guest;

import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.machine.GuestMode;
import dev.seamlab.machine.GuestMode.Access;
import dev.seamlab.machine.GuestMode.Outcome;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.ExitReason;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import dev.seamlab.seam.abi.TdcallLeaf;
import java.util.EnumSet;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/**
 * A guest that touches and accepts the same few pages that a host on another thread gives, blocks
 * and takes away. Whatever the two do to each other, each answer is one that the protocol knows,
 * and when both are done every page can be taken back.
 */
class GuestAgainstHostTest {
    private static final int PAGES = 6;
    private static final int HOST_CALLS = 60_000;
    private static final long PAGE = 0x1000;

    private static final Set<StatusCode> HOST_ANSWERS =
            EnumSet.of(
                    StatusCode.SUCCESS,
                    StatusCode.OPERAND_BUSY,
                    StatusCode.EPT_ENTRY_STATE_INCORRECT,
                    StatusCode.GPA_RANGE_ALREADY_BLOCKED,
                    StatusCode.GPA_RANGE_NOT_BLOCKED,
                    StatusCode.TLB_TRACKING_NOT_DONE,
                    StatusCode.PREVIOUS_TLB_EPOCH_BUSY,
                    StatusCode.PAGE_METADATA_INCORRECT);

    private static final Set<StatusCode> GUEST_ANSWERS =
            EnumSet.of(
                    StatusCode.SUCCESS, StatusCode.OPERAND_BUSY, StatusCode.PAGE_ALREADY_ACCEPTED);

    private final GuestRig.Running td = GuestRig.running(0);
    private final GuestRig rig = td.rig();
    private final long[] hpas = new long[PAGES + 1];
    private final AtomicReference<Throwable> guestFailure = new AtomicReference<>();
    private volatile boolean over;

    private static long gpa(int page) {
        return page * PAGE;
    }

    private long host(Registers regs, Leaf leaf, long rcx, long rdx, long r8) {
        regs.clear().rax(leaf.rax(0)).rcx(rcx).rdx(rdx).r8(r8);
        return rig.machine.seamcall(rig.machine.cpus().get(1), regs);
    }

    private void guestLoop() {
        Random random = new Random(1);
        rig.bind(
                td.vcpus()[0],
                cpu -> {
                    int page = 1 + random.nextInt(PAGES);
                    if (random.nextBoolean()) {
                        accept(cpu, gpa(page));
                    } else if (cpu.touch(gpa(page), Access.WRITE)
                            == Outcome.VIRTUALIZATION_EXCEPTION) {
                        GuestRig.tdcall(cpu, TdcallLeaf.VP_VEINFO_GET, 0, 0);
                    }
                });
        Registers regs = new Registers();
        try {
            while (!over) {
                regs.clear().rax(Leaf.VP_ENTER.rax(0)).rcx(td.vcpus()[0]);
                long exit = rig.machine.seamcall(rig.machine.cpus().getFirst(), regs);
                rig.machine.cpus().getFirst().acknowledgeInterrupt();
                boolean busy = StatusCode.OPERAND_BUSY.matches(exit);
                assertThat(
                                busy
                                        || exit == ExitReason.EPT_VIOLATION
                                        || exit == ExitReason.EXTERNAL_INTERRUPT)
                        .as(Status.show(exit))
                        .isTrue();
            }
        } catch (AssertionError | RuntimeException e) {
            guestFailure.set(e);
        }
    }

    private static void accept(GuestMode cpu, long gpa) {
        cpu.gprs().clear().rax(TdcallLeaf.MEM_PAGE_ACCEPT.number()).rcx(gpa);
        if (cpu.tdcall() == Outcome.DONE) {
            assertThat(GUEST_ANSWERS).contains(StatusCode.of(cpu.gprs().rax()));
        }
    }

    @Test
    void anyInterleaving_onlyKnownAnswers_andEveryPageComesBack() throws InterruptedException {
        rig.mapTables(0, PageInfo.LEVEL_4K);
        for (int page = 1; page <= PAGES; page++) {
            hpas[page] = rig.page();
        }
        Thread guest = new Thread(this::guestLoop, "guest");
        guest.start();
        Registers regs = new Registers();
        Random random = new Random(2);
        int removed = 0;
        for (int i = 0; i < HOST_CALLS && guestFailure.get() == null; i++) {
            int page = 1 + random.nextInt(PAGES);
            long status =
                    switch (random.nextInt(5)) {
                        case 0, 1 -> host(regs, Leaf.MEM_PAGE_AUG, gpa(page), rig.tdr, hpas[page]);
                        case 2 -> host(regs, Leaf.MEM_RANGE_BLOCK, gpa(page), rig.tdr, 0);
                        case 3 -> host(regs, Leaf.MEM_TRACK, rig.tdr, 0, 0);
                        default -> {
                            rig.machine.cpus().getFirst().raiseInterrupt();
                            long answer = host(regs, Leaf.MEM_PAGE_REMOVE, gpa(page), rig.tdr, 0);
                            removed += answer == Status.SUCCESS ? 1 : 0;
                            yield answer;
                        }
                    };
            assertThat(HOST_ANSWERS).as(Status.show(status)).contains(StatusCode.of(status));
        }
        over = true;
        rig.machine.cpus().getFirst().raiseInterrupt();
        guest.join();
        assertThat(guestFailure.get()).isNull();
        assertThat(removed).isPositive();
        takeEverythingBack(regs);
    }

    private void takeEverythingBack(Registers regs) {
        for (int page = 1; page <= PAGES; page++) {
            host(regs, Leaf.MEM_RANGE_BLOCK, gpa(page), rig.tdr, 0);
        }
        rig.must(Leaf.MEM_TRACK, rig.tdr);
        for (int page = 1; page <= PAGES; page++) {
            host(regs, Leaf.MEM_PAGE_REMOVE, gpa(page), rig.tdr, 0);
            rig.must(Leaf.MEM_SEPT_RD, gpa(page), rig.tdr);
            assertThat(rig.regs.rdx() >>> 8).as("state of page %d", page).isZero();
            rig.must(Leaf.PHYMEM_PAGE_RDMD, hpas[page]);
            assertThat(rig.regs.rcx()).as("type of page %d", page).isZero();
        }
    }
}
