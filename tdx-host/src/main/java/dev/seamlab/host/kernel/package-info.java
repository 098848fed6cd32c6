// SPDX-License-Identifier: Apache-2.0
/** What every part of the host kernel has at hand: error numbers and the log. Uses nothing. */
@NullMarked
package dev.seamlab.host.kernel;

import org.jspecify.annotations.NullMarked;
