// SPDX-License-Identifier: Apache-2.0
/** Who may call what: TLS, tokens, roles, and the one table that says which method needs which. */
@NullMarked
package dev.seamlab.control.access;

import org.jspecify.annotations.NullMarked;
