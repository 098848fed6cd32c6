// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static dev.seamlab.kvm.KvmRig.CONFIG;
import static dev.seamlab.kvm.KvmRig.MEMORY;
import static dev.seamlab.kvm.KvmRig.ok;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.cpu.HostCpu;
import dev.seamlab.host.kernel.Errno;
import dev.seamlab.host.mem.PageUse;
import dev.seamlab.kvm.KvmStats.Counter;
import dev.seamlab.machine.Addresses;
import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.StatusCode;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Memslots, guest_memfds, attributes, pre-faulting. */
@Timeout(60)
class VmMemoryTest {
    private static final long PAGE = Addresses.PAGE_SIZE;
    private static final long AT = 0x20_0000;
    private static final int GMEM = UserMemoryRegion.GUEST_MEMFD;

    private final KvmRig rig = new KvmRig();

    @AfterEach
    void close() {
        rig.close();
    }

    private static UserMemoryRegion region(
            int slot, int flags, long gpa, long size, @Nullable GuestMemfd memfd, long offset) {
        return new UserMemoryRegion(slot, flags, gpa, size, 0x7000_0000L, memfd, offset);
    }

    private static GuestMemfd memfd(KvmTdx vm, long size) {
        GuestMemfd memfd = vm.createGuestMemfd(size);
        if (memfd == null) {
            throw new AssertionError("no guest_memfd");
        }
        return memfd;
    }

    // ------------------------------------------------------------------ memslots

    @Test
    void slot_badArguments_areEinval() {
        KvmTdx vm = rig.vm(1);
        GuestMemfd file = memfd(vm, MEMORY);
        GuestMemfd foreign = memfd(rig.vm(1), MEMORY);
        UserMemoryRegion[] bad = {
            region(0, 8, 0, PAGE, null, 0),
            region(0, UserMemoryRegion.READONLY, 0, PAGE, null, 0),
            region(0, GMEM | UserMemoryRegion.LOG_DIRTY, 0, PAGE, file, 0),
            region(0, 0, 0, PAGE + 1, null, 0),
            region(0, 0, 1, PAGE, null, 0),
            new UserMemoryRegion(0, 0, 0, PAGE, 1, null, 0),
            region(0, GMEM, 0, PAGE, file, 1),
            region(-1, 0, 0, PAGE, null, 0),
            region(32764, 0, 0, PAGE, null, 0),
            region(0, 0, 0, -PAGE, null, 0),
            region(0, 0, -PAGE, PAGE, null, 0),
            region(0, 0, Long.MAX_VALUE - PAGE + 1, 2 * PAGE, null, 0),
            region(0, 0, 0, 1L << 43, null, 0),
            UserMemoryRegion.delete(0),
            // kvm_gmem_bind
            region(0, GMEM, 0, PAGE, null, 0),
            region(0, GMEM, 0, PAGE, foreign, 0),
            region(0, GMEM, 0, 2 * PAGE, file, MEMORY - PAGE),
            region(0, 0, 0, PAGE, file, 0)
        };
        for (UserMemoryRegion one : bad) {
            assertThat(vm.setUserMemoryRegion(one)).as(one.toString()).isEqualTo(Errno.EINVAL);
        }
        ok(vm.initVm(CONFIG));
        assertThat(vm.setUserMemoryRegion(region(0, 0, (1L << 47) - PAGE, 2 * PAGE, null, 0)))
                .as("reaches into the shared half")
                .isEqualTo(Errno.EINVAL);
        assertThat(vm.createGuestMemfd(0)).isNull();
        assertThat(vm.createGuestMemfd(PAGE + 1)).isNull();
    }

    @Test
    void slot_createMoveDelete_followsTheKernelsRules() {
        KvmTdx vm = rig.vm(1);
        ok(vm.initVm(CONFIG));
        GuestMemfd file = memfd(vm, 4 * PAGE);
        ok(vm.setUserMemoryRegion(region(0, GMEM, 0, 2 * PAGE, file, 0)));
        assertThat(vm.setUserMemoryRegion(region(1, GMEM, 4 * PAGE, 2 * PAGE, file, PAGE)))
                .as("a page of the file that another slot shows")
                .isEqualTo(Errno.EINVAL);
        ok(vm.setUserMemoryRegion(region(1, GMEM, 4 * PAGE, 2 * PAGE, file, 2 * PAGE)));
        assertThat(vm.setUserMemoryRegion(region(2, 0, PAGE, PAGE, null, 0)))
                .isEqualTo(Errno.EEXIST);
        // With private memory: immutable, also where nothing would change.
        assertThat(vm.setUserMemoryRegion(region(0, GMEM, 0, 2 * PAGE, file, 0)))
                .isEqualTo(Errno.EINVAL);
        assertThat(vm.setUserMemoryRegion(region(0, GMEM, 8 * PAGE, 2 * PAGE, file, 0)))
                .isEqualTo(Errno.EINVAL);
        ok(vm.setUserMemoryRegion(UserMemoryRegion.delete(0)));
        ok(vm.setUserMemoryRegion(region(0, GMEM, 16 * PAGE, 2 * PAGE, file, 0)));

        // Without: may move, not grow.
        ok(vm.setUserMemoryRegion(region(2, 0, PAGE, PAGE, null, 0)));
        ok(vm.setUserMemoryRegion(region(2, 0, PAGE, PAGE, null, 0)));
        assertThat(vm.setUserMemoryRegion(region(2, 0, PAGE, 2 * PAGE, null, 0)))
                .isEqualTo(Errno.EINVAL);
        assertThat(vm.setUserMemoryRegion(new UserMemoryRegion(2, 0, PAGE, PAGE, 0, null, 0)))
                .as("another user address")
                .isEqualTo(Errno.EINVAL);
        assertThat(vm.setUserMemoryRegion(region(2, 0, 16 * PAGE, PAGE, null, 0)))
                .isEqualTo(Errno.EEXIST);
        ok(vm.setUserMemoryRegion(region(2, 0, 2 * PAGE, PAGE, null, 0)));
        assertThat(vm.slots().find(1)).isNull();
        assertThat(vm.slots().find(2)).isNotNull();
    }

    @Test
    void slot_deletedUnderARunningTd_takesItsMappingsAndLeavesItsFile() {
        KvmTdx vm = rig.initialised(1);
        GuestMemfd file = memfd(vm, 8 * PAGE);
        long gpa = 4 * MEMORY;
        ok(vm.setUserMemoryRegion(region(7, GMEM, gpa, 8 * PAGE, file, 0)));
        ok(vm.setMemoryAttributes(gpa, 8 * PAGE, true));
        ok(vm.vcpus()[0].initMemRegion(KvmRig.SCRATCH, 1, false, (page, into) -> {}));
        ok(vm.finalizeVm());
        KvmRig.run(vm, vm.vcpus()[0], "accept " + gpa + "+32k 4k");
        long mapped = vm.stats().get(Counter.PRIVATE_PAGES);
        assertThat(file.allocatedPages()).isEqualTo(8);

        ok(vm.setUserMemoryRegion(UserMemoryRegion.delete(7)));
        assertThat(vm.stats().get(Counter.PRIVATE_PAGES)).isEqualTo(mapped - 8);
        assertThat(file.allocatedPages()).isEqualTo(8);
        assertThat(rig.audit()).isEmpty();
        KvmExit exit = KvmRig.run(vm, vm.vcpus()[0], "accept " + gpa + "+4k 4k");
        assertThat(exit).isEqualTo(new KvmExit.MemoryFault(gpa, true));

        // The attribute outlived the slot: the file shows its pages again in another one.
        ok(vm.setUserMemoryRegion(region(3, GMEM, gpa, 4 * PAGE, file, 4 * PAGE)));
        ok(vm.vcpus()[0].preFaultMemory(new PreFault(gpa, 4 * PAGE, 0)));
        assertThat(file.allocatedPages()).isEqualTo(8);
        ok(file.fallocate(3, 0, 8 * PAGE));
        assertThat(file.allocatedPages()).isZero();
        assertThat(vm.stats().get(Counter.PRIVATE_PAGES)).isEqualTo(mapped - 8);
    }

    // ------------------------------------------------------------------ guest_memfd

    @Test
    void fallocate_badArguments_areRefused() {
        GuestMemfd file = memfd(rig.vm(1), 4 * PAGE);
        assertThat(file.fallocate(GuestMemfd.PUNCH_HOLE, 0, PAGE)).isEqualTo(Errno.EOPNOTSUPP);
        assertThat(file.fallocate(GuestMemfd.KEEP_SIZE | 8, 0, PAGE)).isEqualTo(Errno.EOPNOTSUPP);
        assertThat(file.fallocate(GuestMemfd.KEEP_SIZE, 1, PAGE)).isEqualTo(Errno.EINVAL);
        assertThat(file.fallocate(GuestMemfd.KEEP_SIZE, 0, 1)).isEqualTo(Errno.EINVAL);
        assertThat(file.fallocate(GuestMemfd.KEEP_SIZE, 0, 0)).isEqualTo(Errno.EINVAL);
        assertThat(file.fallocate(GuestMemfd.KEEP_SIZE, 0, 5 * PAGE)).isEqualTo(Errno.EINVAL);
        ok(file.fallocate(GuestMemfd.KEEP_SIZE, PAGE, 2 * PAGE));
        assertThat(file.allocatedPages()).isEqualTo(2);
        ok(file.fallocate(GuestMemfd.KEEP_SIZE | GuestMemfd.PUNCH_HOLE, 0, 64 * PAGE));
        assertThat(file.allocatedPages()).isZero();
    }

    @Test
    void punch_ofAPartOfAFile_zapsThroughEverySlotThatShowsIt() {
        KvmTdx vm = rig.initialised(1);
        GuestMemfd file = memfd(vm, 8 * PAGE);
        long low = 4 * MEMORY;
        long high = 5 * MEMORY;
        ok(vm.setUserMemoryRegion(region(5, GMEM, low, 4 * PAGE, file, 0)));
        ok(vm.setUserMemoryRegion(region(6, GMEM, high, 4 * PAGE, file, 4 * PAGE)));
        ok(vm.setMemoryAttributes(low, 2 * MEMORY, true));
        ok(vm.finalizeVm());
        KvmVcpu vcpu = vm.vcpus()[0];
        ok(vcpu.preFaultMemory(new PreFault(low, 4 * PAGE, 0)));
        ok(vcpu.preFaultMemory(new PreFault(high, 4 * PAGE, 0)));
        ok(file.fallocate(GuestMemfd.KEEP_SIZE | GuestMemfd.PUNCH_HOLE, 2 * PAGE, 4 * PAGE));
        assertThat(vm.stats().get(Counter.ZAPS)).isEqualTo(4);
        assertThat(file.allocatedPages()).isEqualTo(4);
        assertThat(vm.mirror().lookup(Addresses.gfn(low) + 1)).isNotZero();
        assertThat(vm.mirror().lookup(Addresses.gfn(low) + 2)).isZero();
        assertThat(vm.mirror().lookup(Addresses.gfn(high) + 1)).isZero();
        assertThat(vm.mirror().lookup(Addresses.gfn(high) + 2)).isNotZero();
        assertThat(rig.audit()).isEmpty();
    }

    // ------------------------------------------------------------------ attributes

    @Test
    void attributes_badArguments_areEinval() {
        KvmTdx vm = rig.vm(1);
        assertThat(vm.setMemoryAttributes(0, PAGE, 8, 1)).isEqualTo(Errno.EINVAL);
        assertThat(vm.setMemoryAttributes(0, PAGE, 1, 0)).isEqualTo(Errno.EINVAL);
        assertThat(vm.setMemoryAttributes(0, 0, 8, 0)).isEqualTo(Errno.EINVAL);
        assertThat(vm.setMemoryAttributes(1, PAGE, 8, 0)).isEqualTo(Errno.EINVAL);
        assertThat(vm.setMemoryAttributes(0, 1, 8, 0)).isEqualTo(Errno.EINVAL);
        assertThat(vm.setMemoryAttributes(Long.MAX_VALUE - PAGE + 1, 2 * PAGE, 8, 0))
                .isEqualTo(Errno.EINVAL);
        // Without any slot it is fine: attributes are the VM's.
        ok(vm.setMemoryAttributes(0, PAGE, 8, 0));
        ok(vm.addMemslot(0, 2 * PAGE));
        Memslot slot = vm.slots().find(0);
        assertThat(slot).isNotNull();
        assertThat(slot.attributes().isPrivate(0)).isTrue();
        assertThat(slot.attributes().isPrivate(1)).isFalse();
    }

    @Test
    void attributes_theSameAgain_touchNothing() {
        KvmTdx vm = rig.runnable(1);
        KvmRig.run(vm, vm.vcpus()[0], "accept " + AT + "+16k 4k");
        long changed = vm.stats().get(Counter.TO_PRIVATE);
        ok(vm.setMemoryAttributes(0, MEMORY, true));
        assertThat(vm.stats().get(Counter.TO_PRIVATE)).isEqualTo(changed);
        assertThat(vm.stats().get(Counter.ZAPS)).isZero();
    }

    // ------------------------------------------------------------------ pre-fault

    @Test
    void preFault_argumentsAndStates() {
        KvmTdx vm = rig.initialised(1);
        KvmVcpu vcpu = vm.vcpus()[0];
        assertThat(vcpu.preFaultMemory(new PreFault(AT, PAGE, 0))).isEqualTo(Errno.EOPNOTSUPP);
        ok(vm.finalizeVm());
        assertThat(vcpu.preFaultMemory(new PreFault(AT, PAGE, 1))).isEqualTo(Errno.EINVAL);
        assertThat(vcpu.preFaultMemory(new PreFault(AT + 1, PAGE, 0))).isEqualTo(Errno.EINVAL);
        assertThat(vcpu.preFaultMemory(new PreFault(AT, 0, 0))).isEqualTo(Errno.EINVAL);
        assertThat(vcpu.preFaultMemory(new PreFault(1L << 47, PAGE, 0))).isEqualTo(Errno.EINVAL);
        assertThat(vcpu.preFaultMemory(new PreFault(MEMORY, PAGE, 0))).isEqualTo(Errno.ENOENT);
        vcpu.requestExit();
        assertThat(vcpu.preFaultMemory(new PreFault(AT, PAGE, 0))).isEqualTo(Errno.EINTR);
        vcpu.allowRun();
    }

    @Test
    void preFault_mapsWithoutAccepting_andTheGuestAcceptsWithoutAFault() {
        KvmTdx vm = rig.runnable(1);
        KvmVcpu vcpu = vm.vcpus()[0];
        PreFault range = new PreFault(MEMORY - 3 * PAGE, 8 * PAGE, 0);
        // Two pages and the scratch page are there; then memory ends: at least one page was mapped.
        ok(vcpu.preFaultMemory(range));
        assertThat(range.gpa()).isEqualTo(MEMORY);
        assertThat(range.size()).isEqualTo(5 * PAGE);
        ok(vcpu.preFaultMemory(new PreFault(AT, 16 * PAGE, 0)));
        assertThat(rig.faults.calls(Leaf.MEM_PAGE_AUG)).isEqualTo(18);
        KvmRig.run(vm, vcpu, "accept " + AT + "+64k 4k; touch " + AT + "+64k");
        assertThat(vm.stats().get(Counter.PRIVATE_FAULTS)).isZero();
        assertThat(rig.audit()).isEmpty();
    }

    @Test
    void preFault_sharedMemory_isMappedAsShared() {
        KvmTdx vm = rig.runnable(1);
        ok(vm.setMemoryAttributes(AT, PAGE, false));
        ok(vm.vcpus()[0].preFaultMemory(new PreFault(AT, PAGE, 0)));
        assertThat(vm.books().sharedPages()).isEqualTo(1);
    }

    @Test
    void preFault_busy_isRepeated_andOutOfMemory_isEnomem() {
        KvmTdx vm = rig.runnable(1);
        KvmVcpu vcpu = vm.vcpus()[0];
        rig.faults.refuse(Leaf.MEM_PAGE_AUG, 1, 4, StatusCode.OPERAND_BUSY.with(Operand.SEPT_TREE));
        ok(vcpu.preFaultMemory(new PreFault(AT, PAGE, 0)));
        rig.host.pages().setGate((use, pages) -> use != PageUse.GUEST_PRIVATE);
        assertThat(vcpu.preFaultMemory(new PreFault(2 * AT, PAGE, 0))).isEqualTo(Errno.ENOMEM);
        rig.host.pages().setGate((use, pages) -> true);
    }

    @Test
    void preFault_whileItsSlotIsDeleted_isEagain() {
        KvmTdx vm = rig.runnable(1);
        KvmVcpu vcpu = vm.vcpus()[0];
        ok(vcpu.preFaultMemory(new PreFault(AT, PAGE, 0)));
        Memslot slot = vm.slots().find(Addresses.gfn(AT));
        assertThat(slot).isNotNull();
        slot.invalidate(); // the first thing that deleting does
        assertThat(vcpu.preFaultMemory(new PreFault(AT + PAGE, PAGE, 0))).isEqualTo(Errno.EAGAIN);
        ok(vm.setUserMemoryRegion(UserMemoryRegion.delete(0)));
        assertThat(vcpu.preFaultMemory(new PreFault(AT, PAGE, 0))).isEqualTo(Errno.ENOENT);
    }

    /**
     * Between the invalidations that deleting consists of, a fault found the slot as it was, and
     * mapped a page that nobody took away afterwards.
     */
    @Test
    void fault_whileItsSlotIsDeleted_isRepeatedAndMapsNothing() {
        KvmTdx vm = rig.runnable(1);
        ok(vm.setMemoryAttributes(2 * AT, PAGE, false));
        Memslot slot = vm.slots().find(Addresses.gfn(AT));
        assertThat(slot).isNotNull();
        slot.invalidate(); // the first thing that deleting does
        HostCpu cpu = vm.claimAny();
        try {
            for (boolean isPrivate : new boolean[] {true, false}) {
                long gfn = Addresses.gfn(isPrivate ? AT : 2 * AT);
                int result =
                        vm.faults()
                                .attempt(cpu, vm.vcpus()[0], gfn, isPrivate, FaultPath.NO_ACCEPT);
                assertThat(result).isEqualTo(FaultPath.RETRY);
            }
        } finally {
            vm.release(cpu);
        }
        assertThat(vm.stats().get(Counter.PRIVATE_PAGES)).isEqualTo(1); // that of the build
        assertThat(vm.books().sharedPages()).isZero();
        ok(vm.setUserMemoryRegion(UserMemoryRegion.delete(0)));
        assertThat(rig.audit()).isEmpty();
    }
}
