// SPDX-License-Identifier: Apache-2.0
/**
 * The host's TDX core (arch/x86/virt/vmx/tdx in the kernel's terms): brings the module up and keeps
 * what all TDs share. Reaches the module only by SEAMCALL and through emulated memory. Locks:
 * CPU_HOTPLUG and TDX.
 */
@NullMarked
package dev.seamlab.host;

import org.jspecify.annotations.NullMarked;
