// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.machine.sched.Lock;
import dev.seamlab.machine.sched.LockRank;
import dev.seamlab.machine.sched.SteppedRun;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Names of shared words, in the words of the patches; what has no name is left out of reports. */
final class Legend {
    /** Names of words of one array, by place. */
    private record Names(Object array, Map<Integer, String> names) {}

    // A few arrays, asked for at each step: quicker than a table.
    private final List<Names> known = new ArrayList<>();

    void clear() {
        known.clear();
    }

    /** Names the words that an action looks at. */
    void learn(String name, Runnable look) {
        for (SteppedRun.Word word : SteppedRun.wordsOf(look)) {
            Names names = of(word.array());
            if (names == null) {
                names = new Names(word.array(), new HashMap<>());
                known.add(names);
            }
            names.names.putIfAbsent(word.index(), name);
        }
    }

    @SuppressWarnings("ReferenceEquality") // a word is a place in one certain array
    private @Nullable Names of(Object array) {
        for (int i = 0; i < known.size(); i++) {
            if (known.get(i).array == array) {
                return known.get(i);
            }
        }
        return null;
    }

    /** Name of a word or lock, or null. */
    @Nullable String name(Object where, int at) {
        if (where instanceof Lock lock) {
            return name(lock.rank());
        }
        Names names = of(where);
        return names == null ? null : names.names.get(at);
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
