// SPDX-License-Identifier: Apache-2.0
/** vCPUs of trust domains, and clients that drive them by hand. */
@NullMarked
package dev.seamlab.control.vcpu;

import org.jspecify.annotations.NullMarked;
