// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam;

import dev.seamlab.machine.Addresses;
import dev.seamlab.machine.Registers;
import dev.seamlab.seam.abi.PageInfo;
import dev.seamlab.seam.abi.PageType;
import dev.seamlab.seam.core.ModuleState;
import dev.seamlab.seam.lock.SharexLock;
import dev.seamlab.seam.pamt.PamtInspector;
import dev.seamlab.seam.pamt.PamtPage;
import dev.seamlab.seam.pamt.PamtPair;
import dev.seamlab.seam.sept.SeptEntry;
import dev.seamlab.seam.sept.SeptTable;
import dev.seamlab.seam.td.TdConfig;
import dev.seamlab.seam.td.Tdcs;
import dev.seamlab.seam.td.Tdr;
import dev.seamlab.seam.td.Tdvps;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Looks at everything that a module keeps about a window of memory: a digest of it, to see that a
 * refused call changed nothing, and the invariants that tie its parts together.
 */
public final class StateProbe {
    private final ModuleState state;
    private final long firstPfn;
    private final int pages;

    /**
     * @param base first byte of the window
     * @param ranges 2M ranges in it
     */
    public StateProbe(TestModule module, long base, int ranges) {
        state = module.module().state();
        firstPfn = Addresses.pfn(base);
        pages = ranges * Addresses.PAGES_PER_RANGE;
    }

    /** The module's global data. */
    public ModuleState state() {
        return state;
    }

    /**
     * A number that differs when anything in the window does, and is the same where the same calls
     * led to it. Left out is what no two runs share: the time of MNG.INIT and VP.INIT.
     */
    public long digest() {
        Hash hash = new Hash();
        hash.add(state.sysState().ordinal());
        hash.add(state.configuredPackages());
        for (int hkid = state.keys().first(); hkid <= state.keys().last(); hkid++) {
            hash.add(state.keys().state(hkid).ordinal());
            hash.add(state.keys().pendingWriteBack(hkid));
        }
        for (int p = 0; p < state.profile().packages(); p++) {
            hash.add(state.writeBack(p).isInterrupted() ? 1 : 0);
        }
        PamtInspector pamt = new PamtInspector(state.pamt());
        boolean wholeRange = false;
        for (int i = 0; i < pages; i++) {
            long pfn = firstPfn + i;
            boolean startsRange = i % Addresses.PAGES_PER_RANGE == 0;
            if (startsRange || !wholeRange) {
                PamtPage page = pamt.page(pfn);
                // Entries of a range appear when somebody looks at them, which is no change.
                wholeRange = page == null || page.level() != PageInfo.LEVEL_4K;
                if (page != null && page.type() != PageType.NDA) {
                    hash.add(pfn);
                    hash.add(page.type().code() | page.level() << 8);
                    hash.add(page.owner());
                    hash.add(page.bepoch());
                }
                if (page != null && page.metadataPage()) {
                    hash.add(~pfn);
                }
            }
            if (startsRange) {
                PamtPair pair = pamt.pair(pfn);
                hash.add(
                        pair == null ? 0 : pair.page0() * 31 + pair.page1() * 7 + pair.usedPages());
            }
            Tdr tdr = state.tds().get(pfn);
            if (tdr != null) {
                addTd(hash, tdr);
            }
            Tdvps vcpu = state.vcpus().get(pfn);
            if (vcpu != null) {
                hash.add(vcpu.state().code());
                hash.add(vcpu.pageCount());
                hash.add(vcpu.associatedCpu());
                hash.add(vcpu.index());
                for (int r = 0; r < Registers.COUNT; r++) {
                    hash.add(vcpu.gprs().get(r));
                }
            }
        }
        return hash.value;
    }

    /** What is wrong, a line each; empty where all is well. */
    public List<String> violations() {
        List<String> wrong = new ArrayList<>();
        PamtInspector pamt = new PamtInspector(state.pamt());
        Map<Long, Long> owned = new HashMap<>();
        int metadataPages = 0;
        int pairPages = 0;
        for (int range = 0; range < pages; range += Addresses.PAGES_PER_RANGE) {
            PamtPair pair = pamt.pair(firstPfn + range);
            int used = 0;
            for (int i = 0; i < Addresses.PAGES_PER_RANGE; i++) {
                PamtPage page = pamt.page(firstPfn + range + i);
                if (page == null) {
                    continue;
                }
                metadataPages += page.metadataPage() ? 1 : 0;
                if (page.type() == PageType.NDA || page.type() == PageType.RSVD) {
                    continue;
                }
                if (page.metadataPage()) {
                    wrong.add("PAMT page in use as " + page);
                }
                if (page.level() == PageInfo.LEVEL_4K) {
                    used++;
                }
                if (page.type() != PageType.TDR) {
                    owned.merge(page.owner(), 1L, Long::sum);
                }
            }
            if (pair != null) {
                pairPages += 2;
                if (pair.usedPages() != used) {
                    wrong.add("range " + range + ": count " + pair.usedPages() + ", used " + used);
                }
            }
        }
        if (state.pamt().dynamic() && metadataPages != pairPages) {
            wrong.add("bitmap has " + metadataPages + " pages, pairs have " + pairPages);
        }
        for (int i = 0; i < pages; i++) {
            Tdr tdr = state.tds().get(firstPfn + i);
            PamtPage page = pamt.page(firstPfn + i);
            boolean typed =
                    page != null
                            && page.type() == PageType.TDR
                            && page.level() == PageInfo.LEVEL_4K;
            if ((tdr != null) != typed) {
                wrong.add("TDR page and TD disagree at " + Long.toHexString(firstPfn + i));
            }
            if (tdr != null) {
                long pagesOfTd = owned.getOrDefault(tdr.pfn(), 0L);
                if (tdr.children() != pagesOfTd) {
                    wrong.add("CHLDCNT " + tdr.children() + ", owned " + pagesOfTd);
                }
                checkTree(wrong, pamt, tdr);
            }
        }
        return wrong;
    }

    private static void checkTree(List<String> wrong, PamtInspector pamt, Tdr tdr) {
        Tdcs tdcs = tdr.tdcs();
        // Pages may be reclaimed in any order once the key is gone.
        boolean alive =
                switch (tdr.lifecycle()) {
                    case HKID_ASSIGNED, KEYS_CONFIGURED, BLOCKED -> true;
                    case TEARDOWN -> false;
                };
        if (tdcs == null || !alive) {
            return;
        }
        for (int at : new int[] {Tdcs.OP_STATE_LOCK, Tdcs.SEPT_TREE_LOCK, Tdcs.RTMR_LOCK}) {
            if (SharexLock.isHeld(tdcs.locks()[at])) {
                wrong.add("lock " + at + " still held");
            }
        }
        long[] seen = {0};
        checkTable(wrong, pamt, tdr, tdcs.septRoot(), seen);
        long control = tdr.tdcxCount();
        if (tdr.children() < control + seen[0]) {
            wrong.add("S-EPT maps more pages than the TD owns");
        }
    }

    private static void checkTable(
            List<String> wrong, PamtInspector pamt, Tdr tdr, SeptTable table, long[] seen) {
        for (int i = 0; i < SeptTable.ENTRIES; i++) {
            long entry = table.words()[i];
            SeptTable child = table.child(i);
            if (entry == SeptEntry.FREE) {
                if (child != null) {
                    wrong.add("table behind a free entry");
                }
                continue;
            }
            if ((entry & SeptEntry.LOCK) != 0) {
                wrong.add("entry still locked");
            }
            boolean leaf = SeptEntry.isLeaf(entry);
            int level = leaf ? table.level() : PageInfo.LEVEL_4K;
            PamtPage page = pamt.page(Addresses.pfn(SeptEntry.leafHpa(entry, level)));
            PageType type = leaf ? PageType.REG : PageType.EPT;
            if (page == null
                    || page.type() != type
                    || page.owner() != tdr.pfn()
                    || page.level() != level) {
                wrong.add(SeptEntry.state(entry) + " entry over " + page);
            }
            seen[0] += 1L << (9 * level);
            if (leaf != (child == null)) {
                wrong.add("leaf with a table, or table without one");
            }
            if (child != null) {
                checkTable(wrong, pamt, tdr, child, seen);
            }
        }
    }

    private static void addTd(Hash hash, Tdr tdr) {
        hash.add(tdr.lifecycle().ordinal());
        hash.add(tdr.tdcxCount());
        hash.add(tdr.children());
        hash.add(tdr.configuredPackages());
        hash.add(tdr.isFatal() ? 1 : 0);
        Tdcs tdcs = tdr.tdcs();
        if (tdcs == null) {
            return;
        }
        hash.add(tdcs.opState().ordinal());
        hash.add(tdcs.vcpus());
        hash.add(tdcs.associatedVcpus());
        hash.add(tdcs.epoch().epoch());
        hash.add(tdcs.epoch().running(0));
        hash.add(tdcs.epoch().running(1));
        addConfig(hash, tdcs.config());
        hash.add(Arrays.hashCode(tdcs.mrtd()));
        for (int i = 0; i < Tdcs.RTMRS; i++) {
            hash.add(Arrays.hashCode(tdcs.rtmr(i)));
        }
        hash.add(tdcs.controls().hpLockTimeout());
        hash.add(tdcs.controls().tdCtls());
        hash.add(tdcs.controls().notifyEnables());
        addTable(hash, tdcs.septRoot());
    }

    /** By value, so that two worlds in which the same happened have the same digest. */
    private static void addConfig(Hash hash, TdConfig config) {
        hash.add(config.attributes());
        hash.add(config.xfam());
        hash.add(config.maxVcpus());
        hash.add(config.numL2Vms());
        hash.add(config.eptpControls());
        hash.add(config.configFlags());
        hash.add(config.tscFrequency());
        hash.add(config.virtualMaxPa());
        hash.add(Arrays.hashCode(config.mrConfigId()));
        hash.add(Arrays.hashCode(config.mrOwner()));
        hash.add(Arrays.hashCode(config.mrOwnerConfig()));
        hash.add(Arrays.hashCode(config.cpuid()));
        hash.add(config.archCapabilities());
    }

    private static void addTable(Hash hash, SeptTable table) {
        for (int i = 0; i < SeptTable.ENTRIES; i++) {
            hash.add(table.words()[i]);
            SeptTable child = table.child(i);
            if (child != null) {
                addTable(hash, child);
            }
        }
    }

    private static final class Hash {
        private long value = 0x9E37_79B9_7F4A_7C15L;

        void add(long word) {
            value = Long.rotateLeft(value ^ word * 0xC2B2_AE3D_27D4_EB4FL, 31) * 0x1656_67B1_9E37L;
        }
    }
}
