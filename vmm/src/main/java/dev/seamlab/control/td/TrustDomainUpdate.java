// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import com.google.protobuf.FieldMask;
import dev.seamlab.control.call.Rejection;
import dev.seamlab.v1.TrustDomain;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;

/** Which fields of a trust domain an update may name, and what each does to its notes. */
final class TrustDomainUpdate {
    private static final String ALL = "*";

    /** The fields that can be changed. */
    private static final Map<String, BiFunction<Notes, TrustDomain, Notes>> FIELDS =
            Map.of(
                    "display_name",
                            (notes, wanted) -> notes.withDisplayName(wanted.getDisplayName()),
                    "labels", (notes, wanted) -> notes.withLabels(wanted.getLabelsMap()));

    private TrustDomainUpdate() {}

    /**
     * The notes after an update.
     *
     * @param mask fields to take from {@code wanted}; empty or {@code *} for all that can change
     * @throws Rejection INVALID_ARGUMENT where the mask names any other field
     */
    static Notes apply(Notes notes, TrustDomain wanted, FieldMask mask) {
        List<String> paths = mask.getPathsList();
        if (paths.isEmpty() || paths.equals(List.of(ALL))) {
            return Notes.of(wanted);
        }
        Notes changed = notes;
        for (String path : paths) {
            BiFunction<Notes, TrustDomain, Notes> change = FIELDS.get(path);
            if (change == null) {
                throw Rejection.invalid("update_mask", why(path));
            }
            changed = change.apply(changed, wanted);
        }
        return changed;
    }

    private static String why(String path) {
        boolean known = TrustDomain.getDescriptor().findFieldByName(path) != null;
        return "'"
                + path
                + (known ? "' cannot be changed" : "' is no field of a trust domain")
                + ": only display_name and labels can";
    }
}
