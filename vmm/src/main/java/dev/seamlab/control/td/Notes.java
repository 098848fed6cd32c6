// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.control.td;

import dev.seamlab.v1.TrustDomain;
import java.util.Map;

/**
 * What clients note on a trust domain for themselves.
 *
 * @param displayName a name for people
 * @param labels anything, by key
 */
record Notes(String displayName, Map<String, String> labels) {
    static final Notes NONE = new Notes("", Map.of());

    Notes {
        labels = Map.copyOf(labels);
    }

    static Notes of(TrustDomain proto) {
        return new Notes(proto.getDisplayName(), proto.getLabelsMap());
    }

    Notes withDisplayName(String name) {
        return new Notes(name, labels);
    }

    Notes withLabels(Map<String, String> others) {
        return new Notes(displayName, others);
    }

    /** Fills in what clients see. */
    TrustDomain.Builder into(TrustDomain.Builder proto) {
        return proto.setDisplayName(displayName).clearLabels().putAllLabels(labels);
    }
}
