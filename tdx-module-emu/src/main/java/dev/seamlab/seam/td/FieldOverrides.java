// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.td;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Metadata elements of a vCPU that somebody has written and that nothing in the model works with: a
 * debugger's registers, a guest's CPUID controls. Elements that nobody wrote cost nothing. Used by
 * the one logical CPU that the vCPU is associated with.
 */
public final class FieldOverrides {
    private @Nullable Map<Long, Long> written;

    /**
     * Value of an element.
     *
     * @param id identifier of the element
     * @param initial its value if nobody wrote it
     */
    public long get(long id, long initial) {
        Map<Long, Long> map = written;
        return map == null ? initial : map.getOrDefault(id, initial);
    }

    /** Writes an element. */
    public void set(long id, long value) {
        Map<Long, Long> map = written;
        if (map == null) {
            map = new HashMap<>();
            written = map;
        }
        map.put(id, value);
    }
}
