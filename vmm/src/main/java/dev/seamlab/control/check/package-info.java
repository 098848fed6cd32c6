// SPDX-License-Identifier: Apache-2.0
/** The schedule explorer over gRPC: each check is a process of its own. */
@NullMarked
package dev.seamlab.control.check;

import org.jspecify.annotations.NullMarked;
