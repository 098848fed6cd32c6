// SPDX-License-Identifier: Apache-2.0
/** The host of this process: how it starts and ends, and what clients see of it. */
@NullMarked
package dev.seamlab.control.host;

import org.jspecify.annotations.NullMarked;
