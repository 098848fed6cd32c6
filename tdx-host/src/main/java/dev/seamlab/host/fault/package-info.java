// SPDX-License-Identifier: Apache-2.0
/** Failures on purpose, for tests and experiments. Uses the machine and the module's ABI alone. */
@NullMarked
package dev.seamlab.host.fault;

import org.jspecify.annotations.NullMarked;
