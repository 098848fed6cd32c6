// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.machine;

/**
 * What the hardware finds behind a vCPU's control structure: the code it runs and the host's EPT
 * for shared addresses.
 */
public record GuestContext(GuestCode code, SharedEpt sharedEpt) {}
