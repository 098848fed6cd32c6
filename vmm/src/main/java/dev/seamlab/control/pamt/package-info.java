// SPDX-License-Identifier: Apache-2.0
/** Physical address metadata: what it costs, and range by range. */
@NullMarked
package dev.seamlab.control.pamt;

import org.jspecify.annotations.NullMarked;
