// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.check;

/**
 * A rule that a schedule broke.
 *
 * @param text what was seen
 * @param step how many steps had been taken when it showed
 */
public record Finding(Rule rule, String text, int step) {}
