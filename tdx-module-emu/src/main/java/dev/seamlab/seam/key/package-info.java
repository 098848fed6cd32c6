// SPDX-License-Identifier: Apache-2.0
/**
 * KeyIDs: the key ownership table, the key programming port of each package and the cache
 * write-back that must precede the reuse of a KeyID (facts: module ABI section 7.4).
 */
@NullMarked
package dev.seamlab.seam.key;

import org.jspecify.annotations.NullMarked;
