// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.vectors;

import org.jspecify.annotations.Nullable;

/** One line of a scenario. */
@FunctionalInterface
interface VectorStep {
    /**
     * Executes the step.
     *
     * @return what differs from the record, or null
     */
    @Nullable String run(VectorReplay replay);
}
