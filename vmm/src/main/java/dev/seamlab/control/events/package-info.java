// SPDX-License-Identifier: Apache-2.0
/** What happens on the host, in one order, kept for a while. */
@NullMarked
package dev.seamlab.control.events;

import org.jspecify.annotations.NullMarked;
