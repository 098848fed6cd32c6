// SPDX-License-Identifier: Apache-2.0
/** What the server measures, for Micrometer. */
@NullMarked
package dev.seamlab.control.metrics;

import org.jspecify.annotations.NullMarked;
