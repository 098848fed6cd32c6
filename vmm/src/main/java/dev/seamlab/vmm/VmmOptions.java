// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

import dev.seamlab.machine.profile.MachineProfile;

/**
 * How a host is started.
 *
 * @param profile the machine
 * @param dynamicPamt ask for Dynamic PAMT; falls back to static where the module has none, as the
 *     kernel does
 */
public record VmmOptions(MachineProfile profile, boolean dynamicPamt) {}
