// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

/**
 * Which variant of each design axis a host runs. The variants are classes; this only names them.
 *
 * @param pamt whether to use Dynamic PAMT where the module has it
 * @param getPut how get and put are serialised
 * @param refcounts where the refcounts live
 * @param pool where the fault path takes pages from
 * @param install when the fault path installs backing
 */
public record HostPolicy(
        Pamt pamt, GetPut getPut, Refcounts refcounts, Pool pool, Install install) {

    /** Static PAMT, or dynamic with a fall-back to static where the module lacks the feature. */
    public enum Pamt {
        STATIC,
        DYNAMIC
    }

    /** Serialisation of get and put. */
    public enum GetPut {
        /** v4 patch 7, as posted. */
        GLOBAL_LOCK,
        /** v4 patch 8, as posted, with its holes. */
        LOCK_AVOIDING,
        /** v6 patch 6. */
        DEC_AND_LOCK,
        /** Merged. */
        ALWAYS_LOCK
    }

    /** Store of the refcounts. */
    public enum Refcounts {
        FLAT,
        SPARSE
    }

    /** Source of pages in the fault path. */
    public enum Pool {
        MIXED_POOL,
        PAIR_CACHE
    }

    /** When backing is installed (facts: Linux sheet section 8.1). */
    public enum Install {
        /** In the fault, under the MMU lock, for tables and leaves (v2 to v4, v6, merged). */
        AT_FAULT,
        /**
         * Tables when their cache is topped up, before the MMU lock; leaves in the fault, with
         * pages from a pool (v5).
         */
        AT_TOPUP,
        /**
         * Tables as {@link #AT_TOPUP}; leaves right after their page was looked up, before the MMU
         * lock, so that no pool is needed.
         */
        AT_LOOKUP
    }

    /** The policy of a preset. */
    public static HostPolicy of(Preset preset) {
        return preset.policy();
    }

    /** The same policy with the other kind of PAMT. */
    public HostPolicy with(Pamt another) {
        return new HostPolicy(another, getPut, refcounts, pool, install);
    }

    /** The same policy with get and put serialised in another way. */
    public HostPolicy with(GetPut another) {
        return new HostPolicy(pamt, another, refcounts, pool, install);
    }

    /** The same policy with another store of refcounts. */
    public HostPolicy with(Refcounts another) {
        return new HostPolicy(pamt, getPut, another, pool, install);
    }

    /** The same policy with another source of pages for faults. */
    public HostPolicy with(Pool another) {
        return new HostPolicy(pamt, getPut, refcounts, another, install);
    }

    /** The same policy with backing installed at another time. */
    public HostPolicy with(Install another) {
        return new HostPolicy(pamt, getPut, refcounts, pool, another);
    }
}
