// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

/**
 * Something an audit found that must not be.
 *
 * @param rule the invariant, for example {@code mirror-equals-sept}
 * @param subject what breaks it: a TD, a page, a range
 * @param description what was expected and what was found
 */
public record Finding(String rule, String subject, String description) {}
