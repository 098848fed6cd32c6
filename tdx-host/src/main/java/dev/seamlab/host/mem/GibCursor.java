// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host.mem;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Pfn;
import org.jspecify.annotations.Nullable;

/**
 * The GiB of the page that was asked for last, because the next one mostly lies in it, too. Belongs
 * to one thread at a time.
 */
final class GibCursor {
    private final PageDirectory directory;
    private @Nullable GibPages last;

    GibCursor(PageDirectory directory) {
        this.directory = directory;
    }

    /**
     * The GiB of a page.
     *
     * @throws IllegalStateException if the page is no RAM that the allocator manages
     */
    GibPages at(@Pfn long pfn) {
        GibPages known = last;
        if (known != null
                && known.firstPfn() == (pfn & -GibPages.PAGES)
                && known.isPresent(Zone.offset(pfn))) {
            return known;
        }
        return find(pfn);
    }

    private GibPages find(@Pfn long pfn) {
        GibPages found = directory.find(pfn);
        if (found == null) {
            throw new IllegalStateException(
                    Addresses.show(Addresses.hpa(pfn)) + " is not managed by the page allocator");
        }
        last = found;
        return found;
    }
}
