// SPDX-License-Identifier: Apache-2.0
/** Faults that the host is to meet on purpose, as clients arm them. */
@NullMarked
package dev.seamlab.control.fault;

import org.jspecify.annotations.NullMarked;
