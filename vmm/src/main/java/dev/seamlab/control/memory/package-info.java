// SPDX-License-Identifier: Apache-2.0
/** Guest memory of trust domains, and the pages behind it. */
@NullMarked
package dev.seamlab.control.memory;

import org.jspecify.annotations.NullMarked;
