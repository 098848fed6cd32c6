// SPDX-License-Identifier: Apache-2.0
/** Long-running operations, and requests that are made once however often they are sent. */
@NullMarked
package dev.seamlab.control.operation;

import org.jspecify.annotations.NullMarked;
