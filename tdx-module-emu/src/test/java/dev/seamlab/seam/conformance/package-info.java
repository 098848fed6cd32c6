// SPDX-License-Identifier: Apache-2.0
/**
 * The module against tables typed in from the facts: contracts per leaf, the state matrices, the
 * structures that a host hands over, and random programs against invariants.
 */
package dev.seamlab.seam.conformance;
