// SPDX-License-Identifier: Apache-2.0
package dev.seamlab.seam.abi;

import org.jspecify.annotations.Nullable;

/**
 * The host-side leaves (SEAMCALL, TDH.*) by number. Source: facts, module ABI sections 1.1 and 1.2.
 */
public enum Leaf {
    VP_ENTER(0, "TDH.VP.ENTER", 0),
    MNG_ADDCX(1, "TDH.MNG.ADDCX", 0),
    MEM_PAGE_ADD(2, "TDH.MEM.PAGE.ADD", 0),
    MEM_SEPT_ADD(3, "TDH.MEM.SEPT.ADD", 1),
    VP_ADDCX(4, "TDH.VP.ADDCX", 0),
    MEM_PAGE_RELOCATE(5, "TDH.MEM.PAGE.RELOCATE", 0),
    MEM_PAGE_AUG(6, "TDH.MEM.PAGE.AUG", 0),
    MEM_RANGE_BLOCK(7, "TDH.MEM.RANGE.BLOCK", 0),
    MNG_KEY_CONFIG(8, "TDH.MNG.KEY.CONFIG", 0),
    MNG_CREATE(9, "TDH.MNG.CREATE", 0),
    VP_CREATE(10, "TDH.VP.CREATE", 0),
    MNG_RD(11, "TDH.MNG.RD", 1),
    MEM_RD(12, "TDH.MEM.RD", 0),
    MNG_WR(13, "TDH.MNG.WR", 0),
    MEM_WR(14, "TDH.MEM.WR", 0),
    MEM_PAGE_DEMOTE(15, "TDH.MEM.PAGE.DEMOTE", 0),
    MR_EXTEND(16, "TDH.MR.EXTEND", 0),
    MR_FINALIZE(17, "TDH.MR.FINALIZE", 0),
    VP_FLUSH(18, "TDH.VP.FLUSH", 0),
    MNG_VPFLUSHDONE(19, "TDH.MNG.VPFLUSHDONE", 0),
    MNG_KEY_FREEID(20, "TDH.MNG.KEY.FREEID", 0),
    MNG_INIT(21, "TDH.MNG.INIT", 0),
    VP_INIT(22, "TDH.VP.INIT", 1),
    MEM_PAGE_PROMOTE(23, "TDH.MEM.PAGE.PROMOTE", 1),
    PHYMEM_PAGE_RDMD(24, "TDH.PHYMEM.PAGE.RDMD", 0),
    MEM_SEPT_RD(25, "TDH.MEM.SEPT.RD", 0),
    VP_RD(26, "TDH.VP.RD", 1),
    MNG_KEY_RECLAIMID(27, "TDH.MNG.KEY.RECLAIMID", 0),
    PHYMEM_PAGE_RECLAIM(28, "TDH.PHYMEM.PAGE.RECLAIM", 0),
    MEM_PAGE_REMOVE(29, "TDH.MEM.PAGE.REMOVE", 0),
    MEM_SEPT_REMOVE(30, "TDH.MEM.SEPT.REMOVE", 1),
    SYS_KEY_CONFIG(31, "TDH.SYS.KEY.CONFIG", 0),
    SYS_INFO(32, "TDH.SYS.INFO", 0),
    SYS_INIT(33, "TDH.SYS.INIT", 1),
    SYS_RD(34, "TDH.SYS.RD", 0),
    SYS_LP_INIT(35, "TDH.SYS.LP.INIT", 0),
    SYS_TDMR_INIT(36, "TDH.SYS.TDMR.INIT", 0),
    SYS_RDALL(37, "TDH.SYS.RDALL", 0),
    MEM_TRACK(38, "TDH.MEM.TRACK", 0),
    MEM_RANGE_UNBLOCK(39, "TDH.MEM.RANGE.UNBLOCK", 0),
    PHYMEM_CACHE_WB(40, "TDH.PHYMEM.CACHE.WB", 0),
    PHYMEM_PAGE_WBINVD(41, "TDH.PHYMEM.PAGE.WBINVD", 0),
    VP_WR(43, "TDH.VP.WR", 0),
    SYS_LP_SHUTDOWN(44, "TDH.SYS.LP.SHUTDOWN", 0),
    SYS_CONFIG(45, "TDH.SYS.CONFIG", 0),
    SERVTD_BIND(48, "TDH.SERVTD.BIND", 0),
    SERVTD_PREBIND(49, "TDH.SERVTD.PREBIND", 0),
    SYS_SHUTDOWN(52, "TDH.SYS.SHUTDOWN", 0),
    SYS_UPDATE(53, "TDH.SYS.UPDATE", 1),
    PHYMEM_PAMT_ADD(58, "TDH.PHYMEM.PAMT.ADD", 0),
    PHYMEM_PAMT_REMOVE(59, "TDH.PHYMEM.PAMT.REMOVE", 0),
    EXPORT_ABORT(64, "TDH.EXPORT.ABORT", 0),
    EXPORT_BLOCKW(65, "TDH.EXPORT.BLOCKW", 0),
    EXPORT_RESTORE(66, "TDH.EXPORT.RESTORE", 0),
    EXPORT_MEM(68, "TDH.EXPORT.MEM", 0),
    EXPORT_PAUSE(70, "TDH.EXPORT.PAUSE", 0),
    EXPORT_TRACK(71, "TDH.EXPORT.TRACK", 0),
    EXPORT_STATE_IMMUTABLE(72, "TDH.EXPORT.STATE.IMMUTABLE", 0),
    EXPORT_STATE_TD(73, "TDH.EXPORT.STATE.TD", 0),
    EXPORT_STATE_VP(74, "TDH.EXPORT.STATE.VP", 0),
    EXPORT_UNBLOCKW(75, "TDH.EXPORT.UNBLOCKW", 0),
    IMPORT_ABORT(80, "TDH.IMPORT.ABORT", 0),
    IMPORT_END(81, "TDH.IMPORT.END", 0),
    IMPORT_COMMIT(82, "TDH.IMPORT.COMMIT", 0),
    IMPORT_MEM(83, "TDH.IMPORT.MEM", 0),
    IMPORT_TRACK(84, "TDH.IMPORT.TRACK", 0),
    IMPORT_STATE_IMMUTABLE(85, "TDH.IMPORT.STATE.IMMUTABLE", 0),
    IMPORT_STATE_TD(86, "TDH.IMPORT.STATE.TD", 0),
    IMPORT_STATE_VP(87, "TDH.IMPORT.STATE.VP", 0),
    MIG_STREAM_CREATE(96, "TDH.MIG.STREAM.CREATE", 0);

    private static final int TABLE_SIZE = 256;
    private static final @Nullable Leaf[] BY_NUMBER = new @Nullable Leaf[TABLE_SIZE];

    static {
        for (Leaf leaf : values()) {
            BY_NUMBER[leaf.number] = leaf;
        }
    }

    private final int number;
    private final String abiName;
    private final int maxVersion;

    Leaf(int number, String abiName, int maxVersion) {
        this.number = number;
        this.abiName = abiName;
        this.maxVersion = maxVersion;
    }

    /** Leaf number: RAX bits 15:0. */
    public int number() {
        return number;
    }

    /** Name as the specification writes it, for example {@code TDH.MEM.PAGE.AUG}. */
    public String abiName() {
        return abiName;
    }

    /** Highest version (RAX bits 23:16) that the dispatcher lets through. */
    public int maxVersion() {
        return maxVersion;
    }

    /** RAX for a call of this leaf. */
    public long rax(int version) {
        return number | ((long) version << 16);
    }

    /** The leaf with this number, or null. */
    public static @Nullable Leaf of(int number) {
        return number >= 0 && number < TABLE_SIZE ? BY_NUMBER[number] : null;
    }
}
