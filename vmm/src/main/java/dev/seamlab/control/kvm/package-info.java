// SPDX-License-Identifier: Apache-2.0
/** KVM's own interface, ioctl by ioctl. */
@NullMarked
package dev.seamlab.control.kvm;

import org.jspecify.annotations.NullMarked;
