// SPDX-License-Identifier: Apache-2.0
/**
 * JMH benchmarks of module, host and KVM, and the yardsticks they are read against. May use every
 * room below the control plane; nothing uses this package.
 */
@NullMarked
package dev.seamlab.bench;

import org.jspecify.annotations.NullMarked;
