// SPDX-License-Identifier: Apache-2.0
/**
 * What a coverage-guided fuzzer runs, and the inputs that it found worth keeping, which are run
 * with the other tests. A target throws where something is wrong, and returns otherwise.
 */
@org.jspecify.annotations.NullMarked
package dev.seamlab.seam.fuzz;
