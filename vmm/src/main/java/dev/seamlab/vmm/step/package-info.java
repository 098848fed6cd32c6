// SPDX-License-Identifier: Apache-2.0
/** Virtual machines that somebody else builds, ioctl by ioctl. */
@NullMarked
package dev.seamlab.vmm.step;

import org.jspecify.annotations.NullMarked;
