// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

/**
 * One bad field of a request.
 *
 * @param field path of the field, for example {@code memory_bytes}
 * @param description what is wrong and what would be right
 */
public record Violation(String field, String description) {
    @Override
    public String toString() {
        return field + ": " + description;
    }
}
