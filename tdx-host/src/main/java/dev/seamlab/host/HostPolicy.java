// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.host;

import java.util.ArrayList;
import java.util.List;

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

    /** When backing is installed. */
    public enum Install {
        AT_FAULT,
        AT_TOPUP
    }

    /** The policy of a preset. */
    public static HostPolicy of(Preset preset) {
        return preset.policy();
    }

    /**
     * What of this policy the model does not have yet; empty where all is there. A host refuses to
     * start with such a policy: running something else under its name would falsify every result.
     */
    public List<String> missing() {
        List<String> missing = new ArrayList<>();
        if (install == Install.AT_TOPUP) {
            missing.add("install=AT_TOPUP is not modelled yet; use AT_FAULT");
        }
        return missing;
    }
}
