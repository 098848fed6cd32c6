// SPDX-License-Identifier: Apache-2.0
/**
 * What a private fault costs at least: the same walks, compare-and-sets and publications as the
 * real path, with nothing of the project in them (facts: performance sheet section 7). Uses only
 * the JDK.
 */
@NullMarked
package dev.seamlab.bench.yardstick;

import org.jspecify.annotations.NullMarked;
