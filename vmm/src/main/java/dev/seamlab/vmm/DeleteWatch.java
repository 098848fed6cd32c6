// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.vmm;

/** Looks on while a trust domain is torn down. */
@FunctionalInterface
public interface DeleteWatch {
    /**
     * Called after each piece of work, by the thread that does it.
     *
     * @param pagesLeft pages that the module still holds
     * @return whether to go on
     */
    boolean mayGoOn(long pagesLeft);
}
