// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

/**
 * One operation of a program.
 *
 * @param verb what to do
 * @param target number of the range or guest page
 * @param other number behind {@code from}; -1 where there is none
 * @param td number of the TD, for verbs of KVM
 */
public record Op(Verb verb, int target, int other, int td) {
    @Override
    public String toString() {
        return switch (verb.room()) {
            case PAMT -> verb.word() + " r" + target + (other < 0 ? "" : " from r" + other);
            case KVM ->
                    verb.word()
                            + (td == 0 && !verb.takesTarget() ? "" : " ")
                            + (td == 0 ? "" : "t" + td + (verb.takesTarget() ? "." : ""))
                            + (verb.takesTarget() ? "g" + target : "");
        };
    }
}
