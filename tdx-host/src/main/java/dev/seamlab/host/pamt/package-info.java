// SPDX-License-Identifier: Apache-2.0
/**
 * PAMT backing at run time: one refcount per 2 MiB range, get and put, the pools that pages come
 * from, and control pages, which are pages with backing. Locks: PAMT, held round one SEAMCALL.
 */
@NullMarked
package dev.seamlab.host.pamt;

import org.jspecify.annotations.NullMarked;
