// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.SteppedRun;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Names of shared words, in the words of the patches; what has no name is left out of reports. */
final class Legend {
    private final IdentityHashMap<Object, Map<Integer, String>> names = new IdentityHashMap<>();

    void clear() {
        names.clear();
    }

    /** Names the words that an action looks at. */
    void learn(String name, Runnable look) {
        for (SteppedRun.Word word : SteppedRun.wordsOf(look)) {
            names.computeIfAbsent(word.array(), array -> new HashMap<>())
                    .putIfAbsent(word.index(), name);
        }
    }

    /** Name of a word or lock, or null. */
    @Nullable String name(Object where, int at) {
        if (where instanceof Lock lock) {
            return name(lock.rank());
        }
        Map<Integer, String> known = names.get(where);
        return known == null ? null : known.get(at);
    }

    /** The kernel's name of a lock. */
    static String name(LockRank rank) {
        return switch (rank) {
            case TRUST_DOMAIN -> "the TD's lock";
            case TD_STATE -> "the TD's state lock";
            case KVM -> "kvm->lock";
            case VCPU -> "vcpu->mutex";
            case SLOTS -> "slots_lock";
            case GMEM -> "gmem lock";
            case WORLD_STOPPER -> "the stop_machine mutex";
            case WORLD -> "stop_machine";
            case CPU_HOTPLUG -> "cpu hotplug lock";
            case TDX -> "tdx_lock";
            case CPU -> "the CPU";
            case MMU -> "mmu_lock";
            case SPLIT_POOL -> "the split pool's lock";
            case PAGE_ALLOCATOR -> "the zone lock";
            case PAMT -> "pamt_lock";
        };
    }
}
