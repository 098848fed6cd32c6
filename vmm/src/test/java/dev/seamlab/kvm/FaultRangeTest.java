// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.kvm;

import static dev.seamlab.kvm.KvmRig.MEMORY;
import static dev.seamlab.kvm.KvmRig.ok;
import static org.assertj.core.api.Assertions.assertThat;

import dev.seamlab.host.kernel.Errno;
import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Gfn;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a vCPU remembers of its last fault must never outlive a change of slots or attributes. */
@Timeout(60)
class FaultRangeTest {
    private static final @Gfn long RANGE = 2 * Addresses.PAGES_PER_RANGE;
    private static final long PAGE = Addresses.PAGE_SIZE;

    private final KvmRig rig = new KvmRig();
    private KvmTdx vm;
    private KvmVcpu vcpu;

    @BeforeEach
    void start() {
        vm = rig.runnable(1);
        vcpu = vm.vcpus()[0];
    }

    @AfterEach
    void close() {
        rig.close();
    }

    private int fault(@Gfn long gfn) {
        return Prefaults.at(vm, Addresses.gpa(gfn), FaultPath.NO_ACCEPT);
    }

    private boolean remembers(@Gfn long gfn) {
        return vcpu.faultRange().slotOf(gfn, vm.invalidations().sequence()) != null;
    }

    @Test
    void fault_isRememberedForItsRangeOnly() {
        assertThat(remembers(RANGE)).isFalse();

        ok(fault(RANGE + 7));

        assertThat(remembers(RANGE)).isTrue();
        assertThat(remembers(RANGE + Addresses.PAGES_PER_RANGE - 1)).isTrue();
        assertThat(remembers(RANGE - 1)).isFalse();
        assertThat(remembers(RANGE + Addresses.PAGES_PER_RANGE)).isFalse();
    }

    @Test
    void fault_onAPageOfTheRangeThatWasConverted_isEfault_andItsNeighboursAreMapped() {
        ok(fault(RANGE));
        ok(vm.setMemoryAttributes(Addresses.gpa(RANGE + 1), PAGE, false));

        assertThat(fault(RANGE + 1)).isEqualTo(Errno.EFAULT);
        ok(fault(RANGE + 2));
        assertThat(remembers(RANGE)).as("a range of both kinds").isFalse();
        assertThat(fault(RANGE + 1)).isEqualTo(Errno.EFAULT);

        ok(vm.setMemoryAttributes(Addresses.gpa(RANGE + 1), PAGE, true));
        ok(fault(RANGE + 1));
    }

    @Test
    void fault_whereTheSlotWasDeleted_isEfault_andUsesTheNextOneThatComes() {
        ok(fault(RANGE));
        ok(vm.setUserMemoryRegion(UserMemoryRegion.delete(0)));
        assertThat(fault(RANGE + 1)).isEqualTo(Errno.EFAULT);

        ok(vm.addMemslot(0, MEMORY));
        Memslot next = Objects.requireNonNull(vm.slots().find(RANGE));
        ok(fault(RANGE + 1));

        assertThat(vcpu.faultRange().slotOf(RANGE, vm.invalidations().sequence())).isSameAs(next);
        assertThat(next.gmem().peek(RANGE + 1)).isNotEqualTo(PageTable512.NONE);
    }

    @Test
    void fault_withMmuInvalidatedInBetween_isRetry_thoughTheRangeIsKnown() {
        ok(fault(RANGE));
        long noted = vm.invalidations().sequence();
        vm.mmuLock().writeLock();
        vm.invalidations().begin();
        vm.mmuLock().writeUnlock();

        var cpu = vm.claimAny();
        try {
            assertThat(vcpu.faultRange().slotOf(RANGE + 1, noted)).isNotNull();
            assertThat(vm.faults().attempt(cpu, vcpu, RANGE + 1, true, FaultPath.NO_ACCEPT))
                    .isEqualTo(FaultPath.RETRY);
        } finally {
            vm.release(cpu);
        }

        vm.mmuLock().writeLock();
        vm.invalidations().end();
        vm.mmuLock().writeUnlock();
        assertThat(remembers(RANGE)).isFalse();
        ok(fault(RANGE + 1));
    }
}
