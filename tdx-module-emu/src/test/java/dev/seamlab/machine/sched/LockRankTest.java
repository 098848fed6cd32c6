// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine.sched;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class LockRankTest {
    private final Lock outer = new Lock(LockRank.SLOTS);
    private final Lock inner = new Lock(LockRank.PAMT);

    @Test
    void lock_inOrder_isHeldUntilUnlocked() {
        outer.lock();
        inner.lock();
        assertThat(LockRank.Held.isHeld(LockRank.PAMT)).isTrue();
        inner.unlock();
        assertThat(LockRank.Held.isHeld(LockRank.PAMT)).isFalse();
        outer.unlock();
        assertThat(LockRank.Held.isHeld(LockRank.SLOTS)).isFalse();
    }

    @Test
    void lock_againstTheOrder_isRefusedWithBothNames() {
        Lock allocator = new Lock(LockRank.PAGE_ALLOCATOR);
        inner.lock();
        try {
            assertThatThrownBy(allocator::lock)
                    .isInstanceOf(AssertionError.class)
                    .hasMessageContaining("PAGE_ALLOCATOR")
                    .hasMessageContaining("PAMT");
        } finally {
            inner.unlock();
        }
    }

    @Test
    void lock_secondOfTheSameRank_isRefusedExceptForVcpus() {
        Lock other = new Lock(LockRank.SLOTS);
        outer.lock();
        try {
            assertThatThrownBy(other::lock).isInstanceOf(AssertionError.class);
        } finally {
            outer.unlock();
        }
        Lock vcpu0 = new Lock(LockRank.VCPU);
        Lock vcpu1 = new Lock(LockRank.VCPU);
        vcpu0.lock();
        vcpu1.lock();
        vcpu1.unlock();
        vcpu0.unlock();
    }

    @Test
    void sleepingLock_underASpinningOne_isRefused() {
        inner.lock();
        try {
            assertThatThrownBy(outer::lock)
                    .isInstanceOf(AssertionError.class)
                    .hasMessageContaining("sleep");
        } finally {
            inner.unlock();
        }
    }

    @Test
    void mayReclaim_underASpinningLock_isRefused() {
        inner.lock();
        try {
            assertThatThrownBy(LockRank.Held::mayReclaim)
                    .isInstanceOf(AssertionError.class)
                    .hasMessageContaining("PAMT");
        } finally {
            inner.unlock();
        }
        assertThat(LockRank.Held.mayReclaim()).isTrue();
    }

    @Test
    void unlock_notHeld_isRefused() {
        assertThatThrownBy(inner::unlock).isInstanceOf(AssertionError.class);
    }
}
