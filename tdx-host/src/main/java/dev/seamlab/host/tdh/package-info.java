// SPDX-License-Identifier: Apache-2.0
/**
 * The SEAMCALL leaves as typed methods: fill the CPU's registers, call, return the raw status word.
 * Results stay in {@link dev.seamlab.host.cpu.HostCpu#regs}. The only package that executes
 * SEAMCALL.
 */
@NullMarked
package dev.seamlab.host.tdh;

import org.jspecify.annotations.NullMarked;
