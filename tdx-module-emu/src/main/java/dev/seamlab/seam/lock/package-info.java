// SPDX-License-Identifier: Apache-2.0
/**
 * The module's try-locks: share/exclusive words with host priority, and the list of those a call
 * holds. A lock is taken at once or the leaf answers BUSY (facts: module ABI section 12).
 */
@NullMarked
package dev.seamlab.seam.lock;

import org.jspecify.annotations.NullMarked;
