// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayDeque;
import java.util.EnumSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TdStateTest {
    @Test
    void states_fromCreating_areAllReachable() {
        assertThat(reachable(TdState.CREATING)).isEqualTo(EnumSet.allOf(TdState.class));
    }

    @ParameterizedTest
    @EnumSource
    void state_any_canEndInDeleting(TdState state) {
        assertThat(reachable(state)).contains(TdState.DELETING);
    }

    @ParameterizedTest
    @EnumSource
    void action_any_leadsAlongTheTable(TdAction action) {
        TdState target =
                switch (action) {
                    case START, RESUME -> TdState.RUNNING;
                    case PAUSE -> TdState.PAUSED;
                    case STOP, KILL, TERMINATE -> TdState.STOPPING;
                    case RUN_VCPU -> TdState.FAILED;
                    case DELETE -> TdState.DELETING;
                };
        assertThat(action.legalFrom()).allMatch(from -> from.mayBecome(target));
    }

    private static Set<TdState> reachable(TdState from) {
        Set<TdState> seen = EnumSet.of(from);
        ArrayDeque<TdState> todo = new ArrayDeque<>(seen);
        while (!todo.isEmpty()) {
            for (TdState next : todo.pop().next()) {
                if (seen.add(next)) {
                    todo.add(next);
                }
            }
        }
        return seen;
    }
}
