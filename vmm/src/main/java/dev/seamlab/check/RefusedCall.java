// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

import dev.seamlab.seam.abi.Leaf;
import dev.seamlab.seam.abi.Operand;
import dev.seamlab.seam.abi.Status;
import dev.seamlab.seam.abi.StatusCode;
import java.util.Locale;

/**
 * A SEAMCALL that the module refuses once in every schedule, whatever it would have answered.
 *
 * @param leaf which
 * @param nth the n-th call of this leaf after the initial state, from 1
 * @param status what it answers
 */
public record RefusedCall(Leaf leaf, int nth, long status) {
    /**
     * Reads {@code PAMT.ADD}, {@code PAMT.ADD#2} or {@code PAMT.ADD=HPA_RANGE_NOT_FREE}.
     *
     * @throws IllegalArgumentException naming what is wrong
     */
    public static RefusedCall parse(String text) {
        String[] sides = text.split("=", 2);
        String[] call = sides[0].split("#", 2);
        StatusCode code = StatusCode.OPERAND_BUSY;
        if (sides.length == 2) {
            code = StatusCode.valueOf(sides[1].trim().toUpperCase(Locale.ROOT));
        }
        int nth = call.length == 2 ? Integer.parseInt(call[1].trim()) : 1;
        return new RefusedCall(leaf(call[0].trim()), nth, code.with(Operand.RCX));
    }

    private static Leaf leaf(String name) {
        String wanted = name.toUpperCase(Locale.ROOT);
        for (Leaf leaf : Leaf.values()) {
            if (leaf.abiName().equals(wanted) || leaf.abiName().endsWith("." + wanted)) {
                return leaf;
            }
        }
        throw new IllegalArgumentException("no leaf is called \"" + name + "\"");
    }

    @Override
    public String toString() {
        return leaf.abiName() + "#" + nth + " answers " + Status.show(status);
    }
}
