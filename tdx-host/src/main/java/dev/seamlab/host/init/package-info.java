// SPDX-License-Identifier: Apache-2.0
/**
 * What bring-up of the TDX module needs to know and to build: global metadata, the TDX memory list,
 * TDMRs, their PAMT chunks and reserved areas. No locks; one thread brings the module up.
 */
@NullMarked
package dev.seamlab.host.init;

import org.jspecify.annotations.NullMarked;
